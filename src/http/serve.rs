//! Listening, and stopping without breaking off what runs.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

/// Serves until `stop` completes, then accepts no more and lets running requests finish for at most `limit`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    limit: Duration,
) -> io::Result<()> {
    // Without this the kernel holds back the end of a reply for the client's acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is not set");
        }
    });
    let stopping = Arc::new(Notify::new());
    let stopped = Arc::clone(&stopping);
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        stopped.notify_one();
    });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        finished = &mut server => return finished,
        () = stopping.notified() => tracing::info!("stopping; waiting for running requests"),
    }
    match tokio::time::timeout(limit, server).await {
        Ok(finished) => finished,
        Err(_) => {
            tracing::warn!(limit_s = limit.as_secs(), "requests were still running at the time limit");
            Ok(())
        }
    }
}

/// Completes at SIGTERM or ctrl-c.
pub async fn terminated() {
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
