//! Calls the webhook as the API server does: TLS, verified against a bundle, HTTP/1.1.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{HOST, PATIENCE};

/// A connection.
#[derive(Debug)]
pub struct Hook {
    stream: TlsStream<TcpStream>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {:?}", String::from_utf8_lossy(&self.body)))
    }
}

pub fn tls_config(bundle: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.expect("PEM")).expect("a certificate");
    }
    let config = ClientConfig::builder_with_provider(penstock_runtime::tls::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

impl Hook {
    pub async fn connect(address: SocketAddr, bundle: &str) -> Result<Hook, String> {
        let connecting = async {
            let stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let name = ServerName::try_from(HOST).expect("a name");
            let stream = TlsConnector::from(tls_config(bundle)).connect(name, stream).await;
            Ok(Hook { stream: stream.map_err(|error| format!("handshake: {error}"))? })
        };
        timeout(PATIENCE, connecting).await.map_err(|_| "connecting took too long".to_owned())?
    }

    /// The certificate that the server showed.
    pub fn certificate(&self) -> Vec<u8> {
        let (_, connection) = self.stream.get_ref();
        connection.peer_certificates().expect("a certificate")[0].to_vec()
    }

    pub async fn post(&mut self, body: &[u8]) -> Result<Reply, String> {
        self.request("POST", "/mutate", "application/json", body).await
    }

    pub async fn request(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Reply, String> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let exchanging = async {
            self.stream.write_all(head.as_bytes()).await.map_err(|error| format!("head: {error}"))?;
            let _ = self.stream.write_all(body).await;
            let _ = self.stream.flush().await;
            self.read_reply().await
        };
        timeout(PATIENCE, exchanging).await.map_err(|_| "the answer took too long".to_owned())?
    }

    async fn read_reply(&mut self) -> Result<Reply, String> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            let read = self.stream.read_buf(&mut bytes).await.map_err(|error| format!("answer: {error}"))?;
            if read == 0 {
                return Err(format!("the connection was closed after {} bytes", bytes.len()));
            }
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let mut body = bytes.split_off(head);
        while body.len() < length.unwrap_or(0) {
            let read = self.stream.read_buf(&mut body).await.map_err(|error| format!("body: {error}"))?;
            if read == 0 {
                return Err("the connection was closed within the body".to_owned());
            }
        }
        Ok(Reply { status, body })
    }
}
