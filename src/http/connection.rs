//! One connection of a client, over HTTP/1 or HTTP/2. It ends if the client is silent, or does not read, for too long.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::ConnectInfo,
    http::Request,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_io_timeout::TimeoutStream;
use tower::Service as _;

use super::{addresses::Place, state::TransportSettings};

/// Time that a client gets to end its side of a connection that is being closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of requests in progress on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// Maximum length of the parts in which a body is sent.
const MAX_PART_BYTES: usize = 65_536;
/// Interval of pings on an HTTP/2 connection, which may have long-lived responses.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Time limit for the answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// The place of the connection among those of its address, unless they are not counted.
    pub(super) place: Option<Arc<Place>>,
    pub(super) stopping: watch::Receiver<bool>,
}

/// Serves the requests of one connection until the client ends it, is silent for too long or while others need its place,
/// or the server stops.
pub(super) async fn serve(accepted: Accepted, router: Router, transport: TransportSettings) {
    let Accepted { stream, peer, place, mut stopping } = accepted;
    let requests = Requests { counts: Arc::default(), place };
    let begun = requests.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let running = begun.begin();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = router.clone().call(request);
        async move {
            let response = response.await?;
            let counted = |body| CountedBody { body, pending: Bytes::new(), _running: running };
            Ok::<_, Infallible>(response.map(counted))
        }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(transport.write_timeout));
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let io = TokioIo::new(Box::pin(stream));
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
        () = requests.displaced() => {}
        () = requests.silence(transport.head_timeout, transport.idle_timeout) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = requests.silence(CLOSE_TIMEOUT, CLOSE_TIMEOUT) => {}
    }
}

/// The requests of one connection, which hold its place while they are in progress.
#[derive(Clone)]
struct Requests {
    counts: Arc<watch::Sender<Counts>>,
    place: Option<Arc<Place>>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    /// Requests whose response is not complete.
    running: u64,
    /// All requests so far.
    begun: u64,
}

/// A request in progress, until it is dropped.
struct RunningRequest(Requests);

impl Requests {
    fn begin(&self) -> RunningRequest {
        self.change(|counts| {
            counts.running += 1;
            counts.begun += 1;
        });
        RunningRequest(self.clone())
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(|counts| {
            change(counts);
            if let Some(place) = &self.place {
                place.hold(counts.running > 0);
            }
        });
    }

    /// Completes when another connection has taken the place of this one.
    async fn displaced(&self) {
        match &self.place {
            Some(place) => place.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Completes when no request was in progress for a time: `first` before the first request, `later` after each.
    async fn silence(&self, first: Duration, later: Duration) {
        let mut counts = self.counts.subscribe();
        let mut limit = first;
        // The sender is in `self`, so no wait fails.
        while let Ok(begun) = counts.wait_for(|counts| counts.running == 0).await.map(|counts| counts.begun) {
            if timeout(limit, counts.wait_for(|counts| counts.begun != begun)).await.is_err() {
                return;
            }
            limit = later;
        }
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        self.0.change(|counts| counts.running -= 1);
    }
}

/// The body of a response, which ends its request when it is dropped.
///
/// A long body is given in parts: taken as a whole, it would count as sent while most of it waits for a slow client.
struct CountedBody {
    body: Body,
    /// The rest of a frame.
    pending: Bytes,
    _running: RunningRequest,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.pending.is_empty() {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.pending = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return other,
            }
        }
        let part = this.pending.split_to(this.pending.len().min(MAX_PART_BYTES));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.pending.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, pending) = (self.body.size_hint(), u64::try_from(self.pending.len()).unwrap_or(u64::MAX));
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(pending));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(pending));
        }
        hint
    }
}
