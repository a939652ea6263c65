//! Security events.

use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Row, StoredEnum, global_id, local_id, page, page_args,
    split_refusal, text,
};
use crate::security::{self, SecurityEvents};
use crate::{order_input, stored_enum, user_error};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::security_events;
use std::sync::Arc;

pub struct SecurityEvent(pub(crate) Row<security_events::Entity>);

stored_enum! {
    /// The kind of a suspected attack.
    #[allow(clippy::enum_variant_names, reason = "the first word says what is doubtful")]
    SecurityEventKind: crate::security::SecurityEventKind {
        /// A webhook without a signature; often a scanner.
        WebhookUnsigned,
        /// A webhook with a wrong signature: a forgery, or a wrong secret in our configuration.
        WebhookForged,
        /// A webhook with a signature from another time: a replay, or a wrong clock.
        WebhookMistimed,
        /// A purchase whose owner is named in the buyer's browser, without a valid signature. The name had no effect; see
        /// `createPurchaseReference`.
        OwnerUnverified,
    }
}

stored_enum! {
    /// The severity of a security event.
    Severity: crate::security::Severity {
        /// For information.
        Low,
        /// Needs attention.
        Medium,
        /// Needs attention today.
        High,
        /// Needs attention now.
        Critical,
    }
}

/// A suspected attack: all occurrences of one kind from one source within an hour. Visible with the scope `audit:read`.
#[Object]
impl SecurityEvent {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SecurityEvent>(self.0.id)
    }

    /// The kind of suspected attack.
    async fn suspicion(&self) -> Result<SecurityEventKind> {
        Ok(SecurityEventKind::read(&self.0.kind)?)
    }

    /// The severity; it rises with the number of occurrences.
    async fn severity(&self) -> Result<Severity> {
        Ok(Severity::read(&self.0.severity)?)
    }

    /// The source: the address of the sender or of the proxy in front of us; `unknown` if there is none, and `others`
    /// for sources past the limit on how many are told apart.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Details of the last occurrence; null if there are none.
    async fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The number of occurrences within the hour, saved once a minute.
    async fn occurrences(&self) -> i64 {
        self.0.occurrences
    }

    /// Time of the first occurrence.
    async fn first_at(&self) -> Instant {
        self.0.first_at.into()
    }

    /// Time of the last occurrence.
    async fn last_at(&self) -> Instant {
        self.0.last_at.into()
    }

    /// Time of resolution; null while it is open. A new occurrence opens it again.
    async fn resolved_at(&self) -> Option<Instant> {
        self.0.resolved_at.map(Instant::from)
    }

    /// The actor who resolved it, in the form of the audit log; null while it is open.
    async fn resolved_by(&self) -> Option<&str> {
        self.0.resolved_by.as_deref()
    }

    /// The result of the last resolution; null if there was none.
    async fn resolution(&self) -> Option<&str> {
        self.0.resolution.as_deref()
    }
}

/// Conditions on security events; an event must meet all that are given.
#[derive(InputObject, Default)]
pub struct SecurityEventFilter {
    /// Events of these severities.
    severity: Option<Vec<Severity>>,
    /// Events of these kinds.
    suspicion: Option<Vec<SecurityEventKind>>,
    /// True for resolved events, false for open ones.
    resolved: Option<bool>,
    /// Events whose last occurrence is in this span.
    last_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of security events.
    SecurityEventOrder by
    /// The fields that security events can be ordered by.
    SecurityEventOrderField {
        /// Time of the last occurrence.
        LastAt,
    }
}

/// The query root of security events.
#[derive(Default)]
pub struct SecurityQuery;

#[Object]
impl SecurityQuery {
    /// Suspected attacks. Requires the scope `audit:read`.
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
            severities: StoredEnum::stored_list(filter.severity),
            kinds: StoredEnum::stored_list(filter.suspicion),
            resolved: filter.resolved,
            last: DateTimeRange::between(filter.last_at),
            descending: SecurityEventOrder::descending(order_by, true),
        };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}

/// The mutation root of security events.
#[derive(Default)]
pub struct SecurityMutation;

#[Object]
impl SecurityMutation {
    /// Resolves a security event. Resolving it again changes nothing. Requires the scopes `operations:write` and
    /// `audit:read`.
    async fn resolve_security_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The event and the result.")] input: ResolveSecurityEventInput,
    ) -> Result<Option<ResolveSecurityEventPayload>> {
        let id = local_id::<SecurityEvent>(&input.security_event_id)?;
        let resolution = text("resolution", input.resolution)?;
        let (row, user_errors) =
            split_refusal(security::resolve_security_event(ctx.app(), ctx.viewer(), id, resolution).await)?;
        Ok(Some(ResolveSecurityEventPayload {
            security_event: row.map(|row| SecurityEvent(Arc::new(row))),
            user_errors,
        }))
    }
}

/// The resolution of a security event.
#[derive(InputObject)]
pub struct ResolveSecurityEventInput {
    /// The event.
    security_event_id: ID,
    /// The result: 1 to 500 characters.
    resolution: String,
}

/// The resolved security event.
#[derive(SimpleObject)]
pub struct ResolveSecurityEventPayload {
    /// The event; null if there are user errors.
    security_event: Option<SecurityEvent>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ResolveSecurityEventUserError>,
}

user_error! {
    /// A rule that refused to resolve a security event.
    ResolveSecurityEventUserError with
    /// The rules that can refuse `resolveSecurityEvent`.
    ResolveSecurityEventErrorCode {
        /// The event does not exist.
        NotFound = "NOT_FOUND",
        /// The resolution is empty or too long.
        ResolutionInvalid = "RESOLUTION_INVALID",
    }
}
