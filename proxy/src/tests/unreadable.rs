//! Heads that the HTTP library refuses by itself.

use mesh_bundle::resource::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::site::Site;
use super::upgrades::switching;
use super::wire::{mirror_workload, until_closed};

#[tokio::test]
async fn what_the_library_refuses_is_told_as_everything_else() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let good = "GET / HTTP/1.1\r\nhost: api\r\n\r\n";
    for bad in ["no HTTP\r\n\r\n", "GET /#x HTTP/1.1\r\nhost: api\r\n\r\n"] {
        // Also after a request that was served, whether they come together or one after the other.
        for together in [false, true] {
            let mut tcp = TcpStream::connect(site.entry).await.unwrap();
            let mut served = vec![0; 12];
            match together {
                true => tcp
                    .write_all(format!("{good}{bad}").as_bytes())
                    .await
                    .unwrap(),
                false => {
                    tcp.write_all(good.as_bytes()).await.unwrap();
                    tcp.read_exact(&mut served).await.unwrap();
                    while !served.ends_with(b"host: api\n\n") {
                        served.push(tcp.read_u8().await.unwrap());
                    }
                    tcp.write_all(bad.as_bytes()).await.unwrap();
                }
            }
            let mut rest = String::new();
            tcp.read_to_string(&mut rest).await.unwrap();
            let (served, refused) = match together {
                true => rest.split_at(rest.rfind("HTTP/1.1 ").unwrap()),
                false => (std::str::from_utf8(&served).unwrap(), rest.as_str()),
            };
            assert!(served.starts_with("HTTP/1.1 200 "), "{served:?}");
            assert!(!served.contains("x-mesh-refusal"), "{served:?}");
            let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nx-mesh-refusal: bad-request;destination=\"";
            assert!(refused.starts_with(head), "{refused:?}");
            assert!(refused.ends_with("\r\n\r\nbad request"), "{refused:?}");
        }
    }
    // Words of a workload are not taken for the library's.
    let bare = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let site = Site::start(Protocol::Http, switching(bare).await.0).await;
    let answer = until_closed(
        site.entry,
        good.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
            .as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
    assert!(!answer.contains("x-mesh-refusal"), "{answer:?}");
}
