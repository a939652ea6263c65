//! A small HTTP/1.1 client that costs little beside the server: requests are prepared bytes, and of a reply it reads the
//! status, the length and whether the body contains the expected text.

use super::{Figures, Samples};
use anyhow::{Context, bail};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request, and the text that its reply must contain.
#[derive(Clone)]
pub(crate) struct Request {
    /// The bytes of the request.
    pub(crate) bytes: Vec<u8>,
    /// A text in the body of every good reply.
    pub(crate) expected: &'static str,
}

impl Request {
    /// Creates a GraphQL request with a body that is ready to be sent.
    pub(crate) fn post(address: &str, token: &str, body: &str, expected: &'static str) -> Request {
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\naccept: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Request { bytes: (head + body).into_bytes(), expected }
    }
}

/// Returns the request of a number on a connection of a number.
pub(crate) type Source = Arc<dyn Fn(usize, usize) -> Request + Send + Sync>;

/// Sends `requests` in turn on several connections for `time`.
pub(crate) async fn load(
    address: &str,
    requests: &[Request],
    connections: usize,
    time: Duration,
) -> anyhow::Result<Figures> {
    let requests: Arc<[Request]> = requests.into();
    // Each connection starts at another place of the list.
    let source: Source = Arc::new(move |connection, number| {
        requests[(connection * requests.len() / connections + number) % requests.len()].clone()
    });
    send(address, &source, connections, time).await
}

/// Sends the requests of `source` on several connections for `time`.
pub(crate) async fn send(
    address: &str,
    source: &Source,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Figures> {
    let mut tasks = JoinSet::new();
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let start = Instant::now();
    for (connection, stream) in streams.into_iter().enumerate() {
        tasks.spawn(ask(stream, Arc::clone(source), connection, start + time));
    }
    let mut samples = Samples::default();
    while let Some(finished) = tasks.join_next().await {
        samples.merge(finished??);
    }
    Ok(samples.figures(start.elapsed()))
}

async fn ask(mut stream: TcpStream, source: Source, connection: usize, end: Instant) -> anyhow::Result<Samples> {
    let mut samples = Samples::default();
    let mut buffer = vec![0; 256 * 1024];
    for number in 0.. {
        let request = source(connection, number);
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        stream.write_all(&request.bytes).await?;
        let body = reply(&mut stream, &mut buffer).await?;
        samples.add(sent.elapsed());
        check(body, request.expected)?;
    }
    Ok(samples)
}

/// Returns the body of the next reply.
async fn reply<'b>(stream: &mut TcpStream, buffer: &'b mut Vec<u8>) -> anyhow::Result<&'b [u8]> {
    let mut filled = 0;
    let mut whole: Option<(usize, usize)> = None;
    loop {
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("The server closed the connection.");
        }
        filled += read;
        if whole.is_none() {
            whole = head(&buffer[..filled])?;
        }
        match whole {
            Some((start, end)) if filled == end => return Ok(&buffer[start..end]),
            Some((_, end)) if filled > end => bail!("The server sent more than one reply."),
            _ => {}
        }
    }
}

/// Returns the start and end of the body after a complete head.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(length) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..length])?;
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200") {
        bail!("The server replied with status {status}: {}", String::from_utf8_lossy(&bytes[length..]));
    }
    let named = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    };
    let body = lines.find_map(named).context("A reply has no length.")??;
    Ok(Some((length + 4, length + 4 + body)))
}

fn check(body: &[u8], expected: &str) -> anyhow::Result<()> {
    let text = std::str::from_utf8(body)?;
    if !text.starts_with("{\"data\":{") || text.contains("\"errors\":[") || !text.contains(expected) {
        bail!("The reply lacks the expected text: {}", text.chars().take(500).collect::<String>());
    }
    Ok(())
}
