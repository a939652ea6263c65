//! Plugs an app into the HTTP edge: who calls, whether we are ready, which limits hold.

use super::{
    Authenticate, Caller, Connections, Figures, Http, Introspection, LiveSettings, Proxies, Ready, Receive, Settings,
    Watch, metrics,
};
use crate::accounts;
use crate::app::App;
use crate::changes::Feed;
use crate::config::{self, Config, CorsOrigins};
use crate::error::{Error, Result};
use crate::graphql;
use crate::inbox;
use anyhow::Context as _;
use axum::http::{HeaderMap, header};
use futures_util::FutureExt as _;
use std::sync::Arc;

impl Http {
    /// The HTTP edge of `app`.
    pub fn new(app: &Arc<App>) -> anyhow::Result<Http> {
        Ok(Http {
            engine: graphql::engine(app)?,
            authenticate: authenticate(Arc::clone(app)),
            ready: ready(Arc::clone(app)),
            receive: receive(Arc::clone(app)),
            figures: figures(Arc::clone(app)),
            watch: watch(Feed::new(app)),
            connections: Arc::new(Connections::new(app.config.live.connections)),
            settings: settings(&app.config)?,
        })
    }
}

fn authenticate(app: Arc<App>) -> Authenticate {
    Arc::new(move |headers, address| {
        let app = Arc::clone(&app);
        async move {
            let viewer = accounts::sign_in(&app, bearer(headers)?).await?.calling_from(address);
            Ok(Caller { anonymous: !viewer.is_signed_in(), attach: graphql::attach(app, viewer) })
        }
        .boxed()
    })
}

/// The bearer credential of a request (RFC 6750); any other is refused rather than passed over.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let refused =
        || Error::Unauthenticated("send one header 'Authorization: Bearer' with a token or an API key".into());
    let (scheme, credential) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") || sent.next().is_some() {
        return Err(refused());
    }
    Ok(Some(credential.trim()))
}

fn watch(feed: Feed) -> Watch {
    let feed = Arc::new(feed);
    Arc::new(move |interest| {
        let feed = Arc::clone(&feed);
        async move { feed.watch(interest).await }.boxed()
    })
}

fn ready(app: Arc<App>) -> Ready {
    Arc::new(move || {
        let app = Arc::clone(&app);
        async move {
            match app.db.pending_migrations().await {
                Ok(0) => Ok(()),
                Ok(pending) => {
                    Err(format!("the database lacks {pending} changes of the schema; run tollgate migrate up"))
                }
                Err(Error::Unavailable(what, _)) => Err(format!("{what} does not answer")),
                Err(_) => Err("the schema of the database is not the one of this version".to_owned()),
            }
        }
        .boxed()
    })
}

fn receive(app: Arc<App>) -> Receive {
    Arc::new(move |delivery| {
        let app = Arc::clone(&app);
        async move { inbox::receive(&app, delivery).await }.boxed()
    })
}

fn figures(app: Arc<App>) -> Figures {
    Arc::new(move |headers| {
        let app = Arc::clone(&app);
        async move {
            let viewer = accounts::sign_in(&app, bearer(headers)?).await?;
            metrics::figures(&app, &viewer).await
        }
        .boxed()
    })
}

fn settings(config: &Config) -> anyhow::Result<Settings> {
    Ok(Settings {
        body_bytes: config.limits.body_bytes,
        webhook_bytes: config.providers.webhook_body_bytes,
        batch: config.limits.batch,
        introspection: match config.introspection {
            config::Introspection::Everyone => Introspection::Everyone,
            config::Introspection::Authenticated => Introspection::Authenticated,
            config::Introspection::Nobody => Introspection::Nobody,
        },
        origins: match &config.cors_origins {
            CorsOrigins::Any => vec!["*".to_owned()],
            CorsOrigins::Listed(origins) => origins.clone(),
        },
        proxies: Proxies {
            trusted: config.proxies.trusted.clone(),
            header: config.proxies.client_ip_header.parse().context("client_ip_header is not the name of a header")?,
        },
        shutdown_limit: config.shutdown_timeout,
        live: LiveSettings {
            init_limit: config.live.init_timeout,
            operations: config.live.operations,
            ..LiveSettings::default()
        },
        ..Settings::default()
    })
}
