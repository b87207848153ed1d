//! Stands between the sidecar and its object store, and lets little through: what is large is on its way for as long as a
//! test lasts, without filling a disk that others wait for.

use std::time::Duration;

use penstock_objectstore::testing::seaweed::S3Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// The most that one connection lets through in a [`PAUSE`]: a mebibyte in a second.
const PIECE: usize = 16 << 10;
const PAUSE: Duration = Duration::from_millis(16);

/// Ends with the test's runtime.
#[derive(Debug)]
pub(crate) struct SlowStore {
    port: u16,
}

impl SlowStore {
    pub(crate) async fn start(server: &S3Server) -> SlowStore {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let behind = server.endpoint().trim_start_matches("http://").to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&behind).await else { continue };
                tokio::spawn(pass(client, server));
            }
        });
        SlowStore { port }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Until either side closes: only what is sent to the store is slow.
async fn pass(client: TcpStream, server: TcpStream) {
    let ((mut sent, mut answered), (mut answers, mut taken)) = (client.into_split(), server.into_split());
    let slowly = async move {
        let mut piece = vec![0; PIECE];
        while let Ok(read @ 1..) = sent.read(&mut piece).await {
            if taken.write_all(&piece[..read]).await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = slowly => {}
        _ = copy(&mut answers, &mut answered) => {}
    }
}
