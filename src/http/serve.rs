//! Serving connections, and stopping without interrupting running requests.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use futures_util::future::select_all;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{
    addresses::{AddressLimit, AddressPermit},
    client::Proxies,
    connection::{self, Accepted},
    connections::Connections,
    router::router,
    state::{Http, TransportSettings},
};
use crate::metrics::ConnectionLimit;

/// Pause after a failure to accept connections, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Time limit for telling a client that its address has too many connections.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The response to a connection beyond the limit of its address.
const REFUSAL: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json; charset=utf-8\r\n\
    connection: close\r\n\r\n\
    {\"errors\":[{\"message\":\"This address has too many open connections. Close one first.\",\
    \"extensions\":{\"code\":\"RATE_LIMITED\"}}]}";

/// A server that is ready to accept connections.
pub struct Server {
    router: Router,
    connections: Arc<Connections>,
    transport: TransportSettings,
    proxies: Proxies,
    count_refusal: Box<dyn Fn() + Send + Sync>,
}

impl Server {
    /// Creates the server of `http`, with other routes beside its own. Fails if a configured origin is not one.
    pub fn new(http: Http, beside: Option<Router>) -> anyhow::Result<Server> {
        let connections = Arc::clone(&http.connections);
        let (transport, proxies) = (http.settings.transport.clone(), http.settings.proxies.clone());
        let app = Arc::clone(&http.app);
        let count_refusal = Box::new(move || app.metrics.count_refusal(ConnectionLimit::Address));
        let router = router(http)?;
        let router = match beside {
            Some(beside) => router.merge(beside),
            None => router,
        };
        Ok(Server { router, connections, transport, proxies, count_refusal })
    }

    /// Serves until `stop` completes. Then stops accepting connections, ends WebSockets and streams and waits for running
    /// requests, for at most `limit`.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>, limit: Duration) {
        let stopping = watch::Sender::new(false);
        let addresses = AddressLimit::new(self.transport.per_address);
        let mut stop = pin!(stop);
        loop {
            let (stream, peer) = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&listener) => accepted,
            };
            match self.admit(&addresses, peer.ip()) {
                Some(permit) => self.spawn(stream, peer, permit, stopping.subscribe()),
                None => {
                    (self.count_refusal)();
                    tokio::spawn(timeout(REFUSAL_TIMEOUT, refuse(stream)));
                }
            }
        }
        drop(listener);
        tracing::info!("stopping; waiting for running requests");
        stopping.send_replace(true);
        let rest = async { tokio::join!(stopping.closed(), self.connections.close_all()) };
        if timeout(limit, rest).await.is_err() {
            tracing::warn!(limit_s = limit.as_secs(), "requests were still running at the time limit");
        }
    }

    /// Returns the permit for a connection, unless its address has too many with requests in progress. Trusted proxies have
    /// no limit.
    fn admit(&self, addresses: &Arc<AddressLimit>, peer: IpAddr) -> Option<Option<AddressPermit>> {
        if self.proxies.is_trusted(peer) {
            return Some(None);
        }
        addresses.acquire(peer).map(Some)
    }

    fn spawn(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: Option<AddressPermit>,
        stopping: watch::Receiver<bool>,
    ) {
        // Otherwise the kernel delays the end of a response until the client's acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is not set");
        }
        let place = permit.as_ref().map(AddressPermit::place);
        let accepted = Accepted { stream, peer, place, stopping };
        let serving = connection::serve(accepted, self.router.clone(), self.transport.clone());
        tokio::spawn(async move {
            serving.await;
            drop(permit);
        });
    }
}

/// Returns the next connection, whatever happens to others before they are accepted.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_about_the_client(error.kind()) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                sleep_until(Instant::now() + ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_the_client(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn refuse(mut stream: TcpStream) {
    if stream.write_all(REFUSAL.as_bytes()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

/// Completes at SIGTERM or ctrl-c. Listens from the call on, not only once it is awaited.
pub fn terminated() -> impl Future<Output = ()> + Send + 'static {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    async move {
        let waits = signals.into_iter().filter_map(|signal| {
            let mut signal = signal.inspect_err(|error| tracing::error!(%error, "cannot listen for a signal")).ok()?;
            Some(Box::pin(async move { signal.recv().await }))
        });
        let waits: Vec<_> = waits.collect();
        match waits.is_empty() {
            true => std::future::pending().await,
            false => _ = select_all(waits).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::AsyncReadExt as _,
        sync::{Notify, oneshot},
    };

    use super::*;
    use crate::http::ConnectionLimits;

    async fn ask(address: std::net::SocketAddr, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        Ok(reply)
    }

    fn server(router: Router) -> Server {
        let minute = Duration::from_secs(60);
        let transport =
            TransportSettings { head_timeout: minute, idle_timeout: minute, write_timeout: minute, per_address: 10 };
        let connections = Arc::new(Connections::new(ConnectionLimits::all(1)));
        Server { router, connections, transport, proxies: Proxies::default(), count_refusal: Box::new(|| {}) }
    }

    #[tokio::test]
    async fn running_requests_finish_before_the_end_unless_they_take_too_long() {
        let (entered, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (enter, release) = (Arc::clone(&entered), Arc::clone(&begun));
        let router = Router::new()
            .route(
                "/waits",
                get(async move || {
                    enter.notify_one();
                    release.notified().await;
                    "done"
                }),
            )
            .route("/hangs", get(async || std::future::pending::<&str>().await));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let server = tokio::spawn(server(router).serve(listener, stopped, Duration::from_millis(300)));
        let hanging = tokio::spawn(ask(address, "/hangs"));
        let waiting = tokio::spawn(ask(address, "/waits"));
        entered.notified().await;
        stop.send(()).unwrap();
        begun.notify_one();
        assert!(waiting.await.unwrap().unwrap().ends_with("done"));
        server.await.unwrap();
        assert!(ask(address, "/waits").await.is_err());
        hanging.abort();
    }
}
