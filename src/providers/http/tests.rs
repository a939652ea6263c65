use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::Config;

/// A certificate authority that no system trusts.
struct PrivateAuthority(CertifiedIssuer<'static, KeyPair>);

impl PrivateAuthority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        PrivateAuthority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes the certificate into a file.
    fn file(&self) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(self.0.pem().as_bytes()).unwrap();
        file
    }

    /// Serves https for `name` on this machine; the body of every response is the path of the request.
    fn serve(&self, name: &str) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        listen(move |stream| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let Some(head) = read_head(&mut stream) else { return };
            let path = head.split(' ').nth(1).unwrap();
            let length = path.len();
            let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{path}");
            _ = stream.write_all(reply.as_bytes());
            stream.conn.send_close_notify();
            _ = stream.flush();
        })
    }
}

/// Starts a server on this machine and handles each connection in a thread.
fn listen(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handle = Arc::new(handle);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let handle = Arc::clone(&handle);
            std::thread::spawn(move || handle(stream.unwrap()));
        }
    });
    address
}

fn read_head(stream: &mut impl Read) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// A proxy that connects every tunnel to `target` and records the heads of the requests.
fn proxy(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&requests);
    let address = listen(move |mut client| {
        let head = read_head(&mut client).unwrap();
        recorded.lock().unwrap().push(head);
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        _ = std::io::copy(&mut server, &mut client);
    });
    (address, requests)
}

fn client_with(env: &[(&str, &str)]) -> anyhow::Result<Client> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    client(&Config::load(None, env).unwrap().outgoing)
}

async fn get(client: &Client, url: &str) -> anyhow::Result<String> {
    let body = read_body(client.get(url).send().await?, 100).await?;
    Ok(String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_if_it_is_configured() {
    let authority = PrivateAuthority::new();
    let server = authority.serve("localhost");
    let url = format!("https://localhost:{}/keys", server.port());
    let error = get(&client_with(&[]).unwrap(), &url).await.unwrap_err();
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    let file = authority.file();
    let client = client_with(&[("TOLLGATE_CA_FILE", file.path().to_str().unwrap())]).unwrap();
    assert_eq!(get(&client, &url).await.unwrap(), "/keys");
    let other = authority.serve("elsewhere.example");
    let url = format!("https://localhost:{}/keys", other.port());
    assert!(get(&client, &url).await.is_err(), "the name in the certificate counts");
}

#[tokio::test]
async fn https_goes_through_the_proxy_unless_the_host_is_excepted() {
    let authority = PrivateAuthority::new();
    let server = authority.serve("api.example");
    let (address, requests) = proxy(server);
    let file = authority.file();
    let (file, address) = (file.path().to_str().unwrap(), address.to_string());
    let with_password = format!("http://me:pass@{address}");
    for (variable, value) in
        [("HTTPS_PROXY", &*with_password), ("https_proxy", &address), ("TOLLGATE_HTTPS_PROXY", &with_password)]
    {
        let client = client_with(&[("TOLLGATE_CA_FILE", file), (variable, value)]).unwrap();
        assert_eq!(get(&client, "https://api.example/v1/prices").await.unwrap(), "/v1/prices", "{variable}");
        let head = requests.lock().unwrap().pop().unwrap();
        assert!(head.starts_with("CONNECT api.example:443 "), "{head}");
        let lines: Vec<String> = head.lines().map(str::to_lowercase).collect();
        let authorization = format!("proxy-authorization: Basic {}", STANDARD.encode("me:pass")).to_lowercase();
        assert_eq!(lines.contains(&authorization), value.contains("pass"), "{head}");
    }
    let local = authority.serve("localhost");
    let env = [("TOLLGATE_CA_FILE", file), ("HTTPS_PROXY", &address), ("NO_PROXY", "intranet.example,localhost")];
    let url = format!("https://localhost:{}/direct", local.port());
    assert_eq!(get(&client_with(&env).unwrap(), &url).await.unwrap(), "/direct");
    assert!(requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn plain_http_on_this_machine_needs_no_proxy() {
    let server = listen(|mut stream| {
        read_head(&mut stream).unwrap();
        stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: /else\r\ncontent-length: 4\r\n\r\nhere").unwrap();
    });
    let client = client_with(&[("HTTPS_PROXY", "http://127.0.0.1:1")]).unwrap();
    assert_eq!(get(&client, &format!("http://{server}/")).await.unwrap(), "here", "redirects are not followed");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let authority = PrivateAuthority::new();
    let server = authority.serve("localhost");
    let file = authority.file();
    let client = client_with(&[("TOLLGATE_CA_FILE", file.path().to_str().unwrap())]).unwrap();
    let url = format!("https://localhost:{}/{}", server.port(), "x".repeat(100));
    let error = get(&client, &url).await.unwrap_err();
    assert_eq!(error.to_string(), "the body exceeds 100 bytes");
}

#[test]
fn a_file_without_certificates_is_refused() {
    let error = client_with(&[("TOLLGATE_CA_FILE", "Cargo.toml")]).unwrap_err();
    assert!(format!("{error:#}").starts_with("ca_file (TOLLGATE_CA_FILE) Cargo.toml cannot be used."), "{error:#}");
}
