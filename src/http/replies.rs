//! The events of one operation, for transports that carry more than one reply.

use std::{net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use tower_http::request_id::RequestId;

use super::{documents::SentOperation, observe::id_text, state::Http};
use crate::{
    auth::Viewer,
    changes::Watcher,
    error::Error,
    graphql::engine::{
        errors::{RequestError, code, present},
        execute::{Accepted, Outcome, Reply},
    },
    rate_limit::Throttle,
};

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
        let interest = engine.open(&accepted, &attach, id_text(&self.request_id)).await.map_err(StreamEvent::Reply)?;
        let watcher = feed.watch(interest).await.map_err(|error| self.failed(&error))?;
        let subscription = ActiveSubscription { client, accepted, watcher };
        let events = stream::unfold(Some(subscription), async |subscription| {
            let mut subscription = subscription?;
            let event = subscription.next().await;
            let rest = (!event.is_last()).then_some(subscription);
            Some((event, rest))
        });
        Ok(Started { events: events.boxed(), is_subscription: true })
    }
}

/// A running subscription.
struct ActiveSubscription {
    client: Arc<StreamClient>,
    accepted: Accepted,
    watcher: Watcher,
}

impl ActiveSubscription {
    async fn next(&mut self) -> StreamEvent {
        let ActiveSubscription { client, accepted, watcher } = self;
        while let Some(change) = watcher.next().await {
            let viewer = match client.sign_in().await {
                Ok(viewer) => viewer,
                Err(event) => return event,
            };
            match client.spend(&viewer, accepted) {
                Ok(throttle) => accepted.set_throttle(throttle),
                Err(event) => return event,
            }
            let attach = client.http.attach(viewer);
            let reply = client.http.engine.tell(accepted, change, &attach, id_text(&client.request_id)).await;
            if let Some(reply) = reply {
                return StreamEvent::Reply(Box::new(reply));
            }
        }
        let message = "More has changed than could be sent in time. Query the current state, and subscribe again.";
        let error = RequestError::new(code::SUBSCRIPTION_LAGGED, message);
        StreamEvent::Reply(Box::new(Reply::rejected(vec![error])))
    }
}
