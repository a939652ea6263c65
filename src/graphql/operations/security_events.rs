//! What may be an attack.

use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Row, Word, global_id, listed, local_id, page_args, settle, text,
};
use crate::security::{self as feature, SecurityEvents};
use crate::{order_input, user_error, words};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::security_events;
use std::sync::Arc;

pub struct SecurityEvent(pub(crate) Row<security_events::Entity>);

words! {
    /// What seems to be going on.
    #[allow(clippy::enum_variant_names, reason = "the first word says where it was noticed")]
    SecurityEventKind {
        /// A webhook without a signature: often a scanner.
        WebhookUnsigned = "webhook_unsigned",
        /// A webhook whose signature does not fit: a forger, or a secret that is wrong here.
        WebhookForged = "webhook_forged",
        /// A webhook whose signature fits another time: a copy that is sent again, or a clock that is wrong.
        WebhookMistimed = "webhook_mistimed",
    }
}

words! {
    /// How grave something is.
    Severity {
        /// To be known.
        Low = "low",
        /// To be looked at.
        Medium = "medium",
        /// To be looked at today.
        High = "high",
        /// To be looked at now.
        Critical = "critical",
    }
}

/// Something that may be an attack: all of one kind and from one source in an hour.
#[Object]
impl SecurityEvent {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SecurityEvent>(self.0.id)
    }

    /// What seems to be going on.
    async fn suspicion(&self) -> Result<SecurityEventKind> {
        Ok(SecurityEventKind::read(&self.0.kind)?)
    }

    /// How grave it is; it rises with the number of occurrences.
    async fn severity(&self) -> Result<Severity> {
        Ok(Severity::read(&self.0.severity)?)
    }

    /// Where it comes from: the address of the sender, or of the proxy in front of us; `unknown` where there is none,
    /// and `others` for those who were too many to tell apart.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// What was noticed at its last occurrence; null where there is nothing to add.
    async fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// How often it occurred in its hour. A flood is counted in memory and written down each minute.
    async fn occurrences(&self) -> i64 {
        self.0.occurrences
    }

    /// When it occurred first.
    async fn first_at(&self) -> Instant {
        self.0.first_at.into()
    }

    /// When it occurred last.
    async fn last_at(&self) -> Instant {
        self.0.last_at.into()
    }

    /// When someone settled it; null while it is open. It is open again when it occurs again.
    async fn resolved_at(&self) -> Option<Instant> {
        self.0.resolved_at.map(Instant::from)
    }

    /// Who settled it, as in the audit log; null while it is open.
    async fn resolved_by(&self) -> Option<&str> {
        self.0.resolved_by.as_deref()
    }

    /// What came of it, in the words of who settled it last; null where nobody did.
    async fn resolution(&self) -> Option<&str> {
        self.0.resolution.as_deref()
    }
}

/// Which security events to list.
#[derive(InputObject, Default)]
pub struct SecurityEventFilter {
    /// Of one of these severities.
    severity: Option<Vec<Severity>>,
    /// Of one of these kinds.
    suspicion: Option<Vec<SecurityEventKind>>,
    /// Settled, or open.
    resolved: Option<bool>,
    /// Last seen in this span.
    last_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of security events.
    SecurityEventOrder by
    /// The fields that security events can be ordered by.
    SecurityEventOrderField {
        /// When they occurred last.
        LastAt,
    }
}

/// What can be asked about security.
#[derive(Default)]
pub struct SecurityQuery;

#[Object]
impl SecurityQuery {
    /// What may be an attack. Needs the scope `audit:read`.
    async fn security_events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the events.")] filter: Option<SecurityEventFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<SecurityEventOrder>,
    ) -> Result<Connection<SecurityEvent>> {
        let filter = filter.unwrap_or_default();
        let list = SecurityEvents {
            severities: Word::words(filter.severity),
            kinds: Word::words(filter.suspicion),
            resolved: filter.resolved,
            last: DateTimeRange::between(filter.last_at),
            descending: SecurityEventOrder::descending(order_by, true),
        };
        listed(ctx, list, page_args(first, after, last, before)).await
    }
}

/// What can be done about security.
#[derive(Default)]
pub struct SecurityMutation;

#[Object]
impl SecurityMutation {
    /// Settles a security event. Settling it again changes nothing. Needs the scopes `operations:write` and
    /// `audit:read`.
    async fn resolve_security_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which event, and what came of it.")] input: ResolveSecurityEventInput,
    ) -> Result<Option<ResolveSecurityEventPayload>> {
        let id = local_id::<SecurityEvent>(&input.security_event_id)?;
        let resolution = text("resolution", input.resolution)?;
        let (row, user_errors) =
            settle(feature::resolve_security_event(ctx.app(), ctx.viewer(), id, resolution).await)?;
        Ok(Some(ResolveSecurityEventPayload {
            security_event: row.map(|row| SecurityEvent(Arc::new(row))),
            user_errors,
        }))
    }
}

/// Which security event is settled, and what came of it.
#[derive(InputObject)]
pub struct ResolveSecurityEventInput {
    /// The event's id.
    security_event_id: ID,
    /// What came of it: 1 to 500 characters.
    resolution: String,
}

/// The security event that was settled.
#[derive(SimpleObject)]
pub struct ResolveSecurityEventPayload {
    /// The event; null if there are user errors.
    security_event: Option<SecurityEvent>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ResolveSecurityEventUserError>,
}

user_error! {
    /// Why a security event was not settled.
    ResolveSecurityEventUserError with
    /// The rules that can refuse to settle a security event.
    ResolveSecurityEventErrorCode {
        /// There is no such event.
        NotFound = "NOT_FOUND",
        /// The resolution is empty or too long.
        ResolutionInvalid = "RESOLUTION_INVALID",
    }
}
