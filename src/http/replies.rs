//! The replies to one operation as they come, for the transports that carry more than one.

use std::{net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::{Caller, Http, observe::RequestId};
use crate::{
    changes::Watcher,
    error::Error,
    graphql::engine::{
        errors::{RequestError, code, present},
        execute::{Accepted, Operation, Outcome, Reply, Terms},
    },
};

/// Who asks, and whom to ask.
pub(super) struct Asker {
    pub(super) http: Arc<Http>,
    /// With the credential, which is checked again for each event.
    pub(super) headers: HeaderMap,
    /// Where it asks from, as far as that is known.
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: RequestId,
}

/// What there is to pass on.
pub(super) enum Told {
    /// A reply; one of which nothing ran is the last.
    Reply(Box<Reply>),
    /// The caller's credential is none, or holds no longer.
    Refused(Error),
}

/// An operation that has begun.
pub(super) struct Begun {
    pub(super) replies: BoxStream<'static, Told>,
    /// Whether it goes on until it is ended.
    pub(super) lasting: bool,
}

impl Told {
    /// Whether nothing comes after it.
    pub(super) fn is_last(&self) -> bool {
        match self {
            Told::Reply(reply) => {
                matches!(reply.outcome, Outcome::Malformed | Outcome::Rejected | Outcome::MutationRefused)
            }
            Told::Refused(_) => true,
        }
    }
}

impl Asker {
    /// Whether the credential holds at present. Where that cannot be found out, it is not held against the caller.
    pub(super) async fn check(&self) -> Result<(), Told> {
        match (self.http.authenticate)(&self.headers, self.address).await {
            Err(error @ Error::Unauthenticated(_)) => Err(Told::Refused(error)),
            _ => Ok(()),
        }
    }

    async fn sign_in(&self) -> Result<Caller, Told> {
        let signed_in = (self.http.authenticate)(&self.headers, self.address).await;
        signed_in.map_err(|error| match error {
            Error::Unauthenticated(_) => Told::Refused(error),
            error => self.failed(&error),
        })
    }

    fn failed(&self, error: &Error) -> Told {
        Told::Reply(Box::new(Reply::failed(Outcome::Rejected, present(error, &self.request_id.0))))
    }

    /// Begins an operation. When this has answered, a subscription misses nothing.
    pub(super) async fn begin(self: &Arc<Self>, operation: Operation, mutations: bool) -> Result<Begun, Told> {
        let caller = self.sign_in().await?;
        let Http { engine, settings, watch, .. } = &*self.http;
        let terms = Terms { mutations, introspection: settings.introspection.allows(&caller) };
        let accepted = engine.accept(operation, terms).map_err(Told::Reply)?;
        let asker = Arc::clone(self);
        if !accepted.is_subscription() {
            let reply = async move {
                let reply = asker.http.engine.run(&accepted, &caller.attach, &asker.request_id.0).await;
                Told::Reply(Box::new(reply))
            };
            return Ok(Begun { replies: stream::once(reply).boxed(), lasting: false });
        }
        let interest = engine.open(&accepted, &caller.attach, &self.request_id.0).await.map_err(Told::Reply)?;
        let watcher = watch(interest).await.map_err(|error| self.failed(&error))?;
        let live = Live { asker, accepted, watcher };
        let replies = stream::unfold(Some(live), async |live| {
            let mut live = live?;
            let told = live.next().await;
            let rest = (!told.is_last()).then_some(live);
            Some((told, rest))
        });
        Ok(Begun { replies: replies.boxed(), lasting: true })
    }
}

/// A subscription.
struct Live {
    asker: Arc<Asker>,
    accepted: Accepted,
    watcher: Watcher,
}

impl Live {
    async fn next(&mut self) -> Told {
        let Live { asker, accepted, watcher } = self;
        while let Some(change) = watcher.next().await {
            let caller = match asker.sign_in().await {
                Ok(caller) => caller,
                Err(told) => return told,
            };
            let engine = &asker.http.engine;
            if let Some(reply) = engine.tell(accepted, change, &caller.attach, &asker.request_id.0).await {
                return Told::Reply(Box::new(reply));
            }
        }
        let message = "more has changed than could be told in time; ask for how things stand, and subscribe again";
        Told::Reply(Box::new(Reply::rejected(vec![RequestError::new(code::SUBSCRIPTION_LAGGED, message)])))
    }
}
