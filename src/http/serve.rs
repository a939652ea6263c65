//! Serving connections, and stopping without interrupting running requests.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use futures_util::future::select_all;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use super::connections::Connections;

/// Serves until `stop` completes. Then stops accepting connections, ends WebSockets and event streams and waits for running
/// requests, for at most `limit`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Arc<Connections>,
    stop: impl Future<Output = ()> + Send + 'static,
    limit: Duration,
) -> io::Result<()> {
    // Otherwise the kernel delays the end of a response until the client's acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is not set");
        }
    });
    let stopping = Arc::new(Notify::new());
    let stopped = Arc::clone(&stopping);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        stop.await;
        stopped.notify_one();
    });
    let mut server = std::pin::pin!(server.into_future());
    // The server may finish immediately: it does not count WebSockets as requests.
    let finished = tokio::select! {
        finished = &mut server => Some(finished),
        () = stopping.notified() => None,
    };
    tracing::info!("stopping; waiting for running requests");
    let rest = async {
        match finished {
            Some(finished) => finished,
            None => server.await,
        }
    };
    match tokio::time::timeout(limit, async { tokio::join!(rest, connections.close_all()) }).await {
        Ok((finished, ())) => finished,
        Err(_) => {
            tracing::warn!(limit_s = limit.as_secs(), "requests were still running at the time limit");
            Ok(())
        }
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
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        sync::oneshot,
    };

    use super::*;

    async fn ask(address: std::net::SocketAddr, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        Ok(reply)
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
        let server = tokio::spawn(serve(
            listener,
            router,
            Arc::new(Connections::new(1)),
            async {
                let _ = stopped.await;
            },
            Duration::from_millis(300),
        ));
        let hanging = tokio::spawn(ask(address, "/hangs"));
        let waiting = tokio::spawn(ask(address, "/waits"));
        entered.notified().await;
        stop.send(()).unwrap();
        begun.notify_one();
        assert!(waiting.await.unwrap().unwrap().ends_with("done"));
        server.await.unwrap().unwrap();
        assert!(ask(address, "/waits").await.is_err());
        hanging.abort();
    }
}
