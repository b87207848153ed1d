//! Whoever speaks HTTP to a port that speaks TLS is told so, instead of being hung up on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TEXT: &str = "this port speaks TLS: ask for it with https://\n";
/// Most bytes of a request that are taken and thrown away. A connection that is closed before may take the answer along.
const LEFT_OVER: u64 = 64 << 10;

/// Whether the first byte is that of an HTTP method. One of TLS is no letter. The caller has a deadline.
pub(super) async fn is_spoken(stream: &TcpStream) -> bool {
    let mut first = [0; 1];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0].is_ascii_uppercase()
}

/// Answers that TLS is spoken here. The caller has a deadline.
pub(super) async fn refuse(stream: &mut TcpStream) {
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
    let answer = format!("{head}Content-Length: {}\r\n\r\n{TEXT}", TEXT.len());
    // A client that goes away needs no answer.
    if stream.write_all(answer.as_bytes()).await.is_ok() && stream.shutdown().await.is_ok() {
        let _ = tokio::io::copy(&mut stream.take(LEFT_OVER), &mut tokio::io::sink()).await;
    }
}
