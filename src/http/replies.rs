//! The events of one operation, for transports that carry more than one reply.

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use axum::http::HeaderMap;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use tokio::time::timeout;
use tower_http::request_id::RequestId;
use uuid::Uuid;

use super::{documents::SentOperation, observe::id_text, state::Http};
use crate::{
    auth::Viewer,
    changes::{Change, Kind, Upcoming, Watcher},
    error::Error,
    graphql::engine::{
        errors::{RequestError, code, present},
        execute::{Accepted, Attach, Outcome, Reply},
    },
    rate_limit::Throttle,
};

/// The longest time between two looks at the clock while a change by time is awaited, as the clock may be set.
const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// The subjects of a subscription whose last state is remembered.
const MAX_COMPARED: usize = 1_024;

/// The client of an open connection.
pub(super) struct StreamClient {
    pub(super) http: Arc<Http>,
    /// The headers with the credential, which is checked again for each event.
    pub(super) headers: HeaderMap,
    /// The address of the client, if it is known.
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: RequestId,
}

/// An event to send to the client.
pub(super) enum StreamEvent {
    /// A reply; one for which nothing was executed is the last event.
    Reply(Box<Reply>),
    /// The credential is not or no longer valid.
    Refused(Error),
}

/// An operation that was started.
pub(super) struct Started {
    pub(super) events: BoxStream<'static, StreamEvent>,
    /// True if it continues until the client or the server ends it.
    pub(super) is_subscription: bool,
}

impl StreamEvent {
    /// Returns whether this is the last event.
    pub(super) fn is_last(&self) -> bool {
        match self {
            StreamEvent::Reply(reply) => {
                matches!(reply.outcome, Outcome::Malformed | Outcome::Rejected | Outcome::MutationRefused)
            }
            StreamEvent::Refused(_) => true,
        }
    }
}

impl StreamClient {
    /// Checks that the credential is still valid. Passes if that cannot be determined.
    pub(super) async fn check(&self) -> Result<(), StreamEvent> {
        match self.http.sign_in(&self.headers, self.address).await {
            Err(error @ Error::Unauthenticated(_)) => Err(StreamEvent::Refused(error)),
            _ => Ok(()),
        }
    }

    async fn sign_in(&self) -> Result<Viewer, StreamEvent> {
        self.http.sign_in(&self.headers, self.address).await.map_err(|error| match error {
            Error::Unauthenticated(_) => StreamEvent::Refused(error),
            error => self.failed(&error),
        })
    }

    /// Takes the cost of an operation, or of an event of a subscription, from what the caller may spend.
    fn spend(&self, viewer: &Viewer, accepted: &Accepted) -> Result<Option<Throttle>, StreamEvent> {
        self.http.spend(viewer, accepted.cost()).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &Error) -> StreamEvent {
        StreamEvent::Reply(Box::new(Reply::failed(Outcome::Rejected, present(error, id_text(&self.request_id)))))
    }

    /// Starts an operation. A subscription misses no change from now on.
    pub(super) async fn start(
        self: &Arc<Self>,
        operation: SentOperation,
        mutations: bool,
    ) -> Result<Started, StreamEvent> {
        let viewer = self.sign_in().await?;
        let Http { engine, feed, documents, .. } = &*self.http;
        let operation = documents.find(operation, &viewer).map_err(StreamEvent::Reply)?;
        let terms = self.http.terms(&viewer, mutations);
        let mut accepted = engine.accept(operation, terms).map_err(StreamEvent::Reply)?;
        accepted.set_throttle(self.spend(&viewer, &accepted)?);
        let attach = self.http.attach(viewer);
        let client = Arc::clone(self);
        if !accepted.is_subscription() {
            let reply = async move {
                let reply = client.http.engine.run(&accepted, &attach, id_text(&client.request_id)).await;
                StreamEvent::Reply(Box::new(reply))
            };
            return Ok(Started { events: stream::once(reply).boxed(), is_subscription: false });
        }
        let upcoming = Arc::new(Upcoming::new(self.http.app.now()));
        let attach = noting(attach, &upcoming);
        let interest = engine.open(&accepted, &attach, id_text(&self.request_id)).await.map_err(StreamEvent::Reply)?;
        let watcher = feed.watch(interest).await.map_err(|error| self.failed(&error))?;
        let mut subscription = ActiveSubscription {
            client,
            accepted,
            watcher,
            upcoming,
            due: VecDeque::new(),
            repeats: interest.kind.is_frequent(),
            sent: HashMap::new(),
        };
        if let (Kind::EntitlementsChanged, Some(account)) = (interest.kind, interest.account) {
            subscription.compare_from_now(Change::EntitlementsChanged(account), &attach).await;
        }
        let events = stream::unfold(Some(subscription), async |subscription: Option<ActiveSubscription>| {
            let mut subscription = subscription?;
            let event = subscription.next().await;
            let rest = (!event.is_last()).then_some(subscription);
            Some((event, rest))
        });
        Ok(Started { events: events.boxed(), is_subscription: true })
    }
}

/// Returns the function that makes the changes by time noted in `upcoming`, beside what `attach` does.
fn noting(attach: Attach, upcoming: &Arc<Upcoming>) -> Attach {
    let upcoming = Arc::clone(upcoming);
    Box::new(move |request| attach(request).data(Arc::clone(&upcoming)))
}

/// A running subscription.
struct ActiveSubscription {
    client: Arc<StreamClient>,
    accepted: Accepted,
    watcher: Watcher,
    /// The next changes that time alone brings.
    upcoming: Arc<Upcoming>,
    /// Changes that time has brought.
    due: VecDeque<Change>,
    /// True if an event may show what the one before it of the same subject did, and is left out then.
    repeats: bool,
    /// The data that was sent last, by subject.
    sent: HashMap<Uuid, u64>,
}

impl ActiveSubscription {
    async fn next(&mut self) -> StreamEvent {
        while let Some(change) = self.next_change().await {
            let ActiveSubscription { client, accepted, upcoming, .. } = self;
            let viewer = match client.sign_in().await {
                Ok(viewer) => viewer,
                Err(event) => return event,
            };
            match client.spend(&viewer, accepted) {
                Ok(throttle) => accepted.set_throttle(throttle),
                Err(event) => return event,
            }
            let attach = noting(client.http.attach(viewer), upcoming);
            let reply = client.http.engine.tell(accepted, change, &attach, id_text(&client.request_id)).await;
            if let Some(reply) = reply.filter(|reply| self.is_news(change, reply)) {
                return StreamEvent::Reply(Box::new(reply));
            }
        }
        let message = "More has changed than could be sent in time. Query the current state, and subscribe again.";
        let error = RequestError::new(code::SUBSCRIPTION_LAGGED, message);
        StreamEvent::Reply(Box::new(Reply::rejected(vec![error])))
    }

    /// Waits for the next change, by a request or by time; `None` after changes were lost.
    async fn next_change(&mut self) -> Option<Change> {
        let app = &self.client.http.app;
        loop {
            if let Some(change) = self.due.pop_front() {
                return Some(change);
            }
            self.due.extend(self.upcoming.take(app.now()));
            if self.due.is_empty() {
                let left = self.upcoming.instant().map(|at| (at - app.now()).to_std().unwrap_or_default());
                let time = async {
                    match left {
                        Some(left) => timeout(left.min(CLOCK_CHECK), pending::<()>()).await.unwrap_or_default(),
                        None => pending().await,
                    }
                };
                tokio::select! {
                    change = self.watcher.next() => return change,
                    () = time => {}
                }
            }
        }
    }

    /// Notes the present state, so that the first event is one that differs from it.
    async fn compare_from_now(&mut self, change: Change, attach: &Attach) {
        let ActiveSubscription { client, accepted, .. } = self;
        if let Some(reply) = client.http.engine.tell(accepted, change, attach, id_text(&client.request_id)).await {
            self.is_news(change, &reply);
        }
    }

    /// Returns whether a reply is to be sent, and notes that it is.
    fn is_news(&mut self, change: Change, reply: &Reply) -> bool {
        if !self.repeats {
            return true;
        }
        if self.sent.len() >= MAX_COMPARED {
            self.sent.clear();
        }
        match reply.fingerprint() {
            Some(data) => self.sent.insert(change.subject(), data) != Some(data),
            None => {
                self.sent.remove(&change.subject());
                true
            }
        }
    }
}
