//! Decisions of users and visitors on being tracked.

use super::event::{Recorder, check_visitor, user_not_found};
use super::page;
use crate::accounts;
use crate::analytics::person::Person;
use crate::analytics::store::consents::{self, Decisions};
use crate::analytics::values::ConsentDecision;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::config::TrackingConsent;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::consent_decisions::Model;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The maximum number of decisions that are shown.
const MAX_SHOWN: u32 = 1_000;

/// Records the decision of a user or visitor: of themselves, of visitors by a page with a publishable key, and of anybody
/// with the permission to record events. Returns the time of the decision; one that repeats the newest is not recorded again.
pub async fn record_consent(
    app: &App,
    viewer: &Viewer,
    user_id: Option<Uuid>,
    anonymous_id: Option<&str>,
    decision: ConsentDecision,
) -> Result<DateTime<Utc>> {
    let recorder = Recorder::of(viewer)?;
    if let Some(page) = viewer.page() {
        page::admit(app, viewer, page, 1)?;
    }
    let (person, recorded_by) = (recorder.person(user_id, anonymous_id)?, viewer.actor().to_owned());
    let recorded = app.db.write(move |txn| {
        Box::pin(async move {
            if let Some(user) = person.user_id()
                && accounts::existing_users(txn, &BTreeSet::from([user])).await?.is_empty()
            {
                return Err(user_not_found());
            }
            let decisions = consents::newest(txn, &BTreeSet::from([person.clone()])).await?;
            if let Some(newest) = decisions.of(&person).filter(|it| it.decision == decision && it.by == person) {
                return Ok(newest.at);
            }
            consents::insert(txn, &person, decision, recorded_by).await?;
            Ok(txn.now())
        })
    });
    recorded.await
}

/// Returns the decisions that count for a user or visitor, newest first.
pub async fn consent_decisions(
    app: &App,
    viewer: &Viewer,
    user_id: Option<Uuid>,
    anonymous_id: Option<String>,
) -> Result<Vec<Model>> {
    viewer.require(Permission::AnalyticsRead)?;
    let person = match (user_id, anonymous_id) {
        (Some(user), None) => Person::User(user),
        (None, Some(visitor)) => {
            check_visitor(&visitor).map_err(Error::as_bad_input)?;
            Person::Visitor(visitor)
        }
        _ => return Err(Error::bad_input("Give either `userId` or `anonymousId`.")),
    };
    consents::history(app.db.read(), &person, MAX_SHOWN).await
}

/// The rule about consent for one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConsentRule {
    /// True if a person who never decided must not be tracked.
    is_required: bool,
    /// True if the browser refuses for its user, unless they consented.
    opts_out: bool,
}

impl ConsentRule {
    /// Returns the rule for the requests of a caller.
    pub(super) fn of(app: &App, viewer: &Viewer) -> ConsentRule {
        ConsentRule {
            is_required: app.config.tracking_consent == TrackingConsent::Required,
            opts_out: viewer.page().is_some_and(|page| page.opts_out),
        }
    }

    /// Checks that events of a person may be recorded.
    pub(super) fn check(self, decisions: &Decisions, person: &Person) -> Result<()> {
        let refused = |code, message| Err(Error::refused(code, &[], message));
        match decisions.of(person).map(|decided| decided.decision) {
            Some(ConsentDecision::Granted) => Ok(()),
            Some(ConsentDecision::Refused) => {
                refused("CONSENT_REFUSED", "This person refused to be tracked: send no more events of them.")
            }
            None if self.opts_out => refused(
                "CONSENT_REFUSED",
                "The browser refuses to be tracked (Sec-GPC): send no events, or record the consent of its user.",
            ),
            None if self.is_required => {
                refused("CONSENT_MISSING", "This person has not decided yet: record their consent first.")
            }
            None => Ok(()),
        }
    }
}
