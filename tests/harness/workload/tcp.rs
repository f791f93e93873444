//! A workload that speaks bytes: a greeting, an echo, and a farewell after the other end has said all it has to say.
//!
//! Never closes first: a half-closed connection still carries the farewell.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Shared;

pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.count();
        connections.spawn(echo(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn echo(mut stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    let greeting = format!("{} ready\n", shared.name);
    stream.write_all(greeting.as_bytes()).await?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        let read = buffer.get(..count).unwrap_or_default();
        stream.write_all(read).await?;
    }
    stream.write_all(b"bye\n").await?;
    stream.shutdown().await
}
