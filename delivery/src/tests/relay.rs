//! A link that can go dead without closing: a cable that is pulled, a host that hangs.
//!
//! Never forwards more than one connection.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) struct Relay {
    pub(super) address: String,
    /// From then on nothing is forwarded, and nothing is closed.
    pub(super) freeze: watch::Sender<bool>,
}

impl Relay {
    pub(super) async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (freeze, frozen) = watch::channel(false);
        let target = target.to_owned();
        tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(target).await.unwrap();
            let until = |wanted: bool| {
                let mut frozen = frozen.clone();
                async move { drop(frozen.wait_for(|now| *now == wanted).await) }
            };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                () = until(true) => {}
            }
            // Both sockets stay open until the test drops its end.
            until(false).await;
        });
        Self { address, freeze }
    }
}
