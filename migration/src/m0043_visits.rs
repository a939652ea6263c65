//! Sessions of visitors and the daily use of features, made from the events, and the marks of what has to be made again.
//!
//! The marks are written by triggers, in the transaction of the event or alias, whoever records it. Events that are deleted
//! mark nothing: what was made from them stays.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const EVENTS_OF_A_DAY: [&str; 3] = ["day", "user_id", "anonymous_id"];
const ONE_PERSON: &str = "(user_id IS NULL) <> (anonymous_id IS NULL)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        marks(manager).await?;
        sessions(manager).await?;
        daily_sessions(manager).await?;
        features(manager).await?;
        index(manager, "analytics_events", &EVENTS_OF_A_DAY).await?;
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        run(manager, triggers(postgres)).await?;
        run(manager, mark_everything(postgres)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let triggers = ["analytics_events", "identity_aliases"].map(|table| (format!("activity_{table}"), table));
        let drops = triggers.iter().flat_map(|(name, table)| match postgres {
            true => vec![format!("DROP TRIGGER {name} ON {table}"), format!("DROP FUNCTION {name}()")],
            false => vec![format!("DROP TRIGGER {name}")],
        });
        run(manager, drops.collect()).await?;
        drop_indexes(manager, &[("ix", "analytics_events", &EVENTS_OF_A_DAY)]).await?;
        drop(manager, &["feature_daily", "session_daily", "visitor_sessions", "activity_marks"]).await
    }
}

fn day(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).date().not_null().take()
}

/// Creates the marks. There may be several for one thing: on PostgreSQL a transaction never waits for the mark of another.
async fn marks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "activity_marks",
        vec![
            id().into(),
            // With a person, the UTC day whose sessions have to be made again; without, the one whose names of events have
            // to be counted again. Null for a visitor who turned out to be a user: all the visitor's days have to.
            ColumnDef::new("day").date().take().into(),
            uuid_null("user_id").into(),
            text_null("anonymous_id").into(),
            check("user_id IS NULL OR anonymous_id IS NULL"),
            check("day IS NOT NULL OR anonymous_id IS NOT NULL"),
        ],
    )
    .await?;
    index(manager, "activity_marks", &["day", "user_id", "anonymous_id"]).await?;
    let of_names = "user_id IS NULL AND anonymous_id IS NULL";
    index_where(manager, "activity_marks", &["day"], of_names).await?;
    index_where(manager, "activity_marks", &["anonymous_id"], "day IS NULL").await
}

async fn sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "visitor_sessions",
        vec![
            id().into(),
            reference_null("user_id", "users").into(),
            text_null("anonymous_id").into(),
            // The UTC day of `started_at`.
            day("day").into(),
            // Times of the first and the last event.
            instant("started_at").into(),
            instant("ended_at").into(),
            big_integer("event_count").into(),
            big_integer("page_view_count").into(),
            // The path of the first page that was viewed, and the address that led to it.
            text_null("first_page").into(),
            text_null("referrer").into(),
            check(ONE_PERSON),
            check("ended_at >= started_at"),
            check("event_count > 0 AND page_view_count BETWEEN 0 AND event_count"),
        ],
    )
    .await?;
    for person in ["user_id", "anonymous_id"] {
        let condition = if person == "user_id" { "user_id IS NOT NULL" } else { "anonymous_id IS NOT NULL" };
        unique_where(manager, "visitor_sessions", &[person, "day", "started_at"], condition).await?;
    }
    Ok(())
}

async fn daily_sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut parts = vec![id().into(), day("day").into()];
    // Sums over the sessions that started on the day; a bounce is a session of one event.
    for column in ["session_count", "people_count", "page_view_count", "bounce_count", "duration_us"] {
        parts.push(big_integer(column).into());
    }
    create(manager, "session_daily", parts).await?;
    unique(manager, "session_daily", &["day"]).await
}

async fn features(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "feature_daily",
        vec![
            id().into(),
            day("day").into(),
            // The name of the events.
            text("name").into(),
            big_integer("event_count").into(),
            big_integer("people_count").into(),
            check("people_count BETWEEN 1 AND event_count"),
        ],
    )
    .await?;
    unique(manager, "feature_daily", &["name", "day"]).await?;
    index(manager, "feature_daily", &["day"]).await
}

/// Returns the statements that create the triggers: an event marks its person and its day, an alias its visitor.
fn triggers(postgres: bool) -> Vec<String> {
    let mut statements = Vec::new();
    let events = match postgres {
        // One statement for all events of an insert.
        true => vec![
            "INSERT INTO activity_marks (id, day, user_id, anonymous_id) SELECT gen_random_uuid(), m.day, m.user_id, \
             m.anonymous_id FROM (SELECT DISTINCT day, user_id, anonymous_id FROM added \
             UNION SELECT DISTINCT day, NULL::uuid, NULL::text FROM added) AS m",
        ],
        // With one writer at a time a mark that is there cannot be in use.
        false => vec![
            "INSERT INTO activity_marks (id, day, user_id, anonymous_id) SELECT randomblob(16), NEW.day, NEW.user_id, \
             NEW.anonymous_id WHERE NOT EXISTS (SELECT 1 FROM activity_marks m WHERE m.day = NEW.day \
             AND m.user_id IS NEW.user_id AND m.anonymous_id IS NEW.anonymous_id)",
            "INSERT INTO activity_marks (id, day) SELECT randomblob(16), NEW.day WHERE NOT EXISTS \
             (SELECT 1 FROM activity_marks m WHERE m.day = NEW.day AND m.user_id IS NULL AND m.anonymous_id IS NULL)",
        ],
    };
    let aliases = match postgres {
        true => "INSERT INTO activity_marks (id, anonymous_id) SELECT gen_random_uuid(), anonymous_id FROM added",
        false => "INSERT INTO activity_marks (id, anonymous_id) VALUES (randomblob(16), NEW.anonymous_id)",
    };
    for (table, bodies) in [("analytics_events", events), ("identity_aliases", vec![aliases])] {
        let (name, body) = (format!("activity_{table}"), bodies.join("; "));
        if postgres {
            statements.push(format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$"
            ));
            statements.push(format!(
                "CREATE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS added \
                 FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            ));
        } else {
            statements.push(format!("CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN {body}; END"));
        }
    }
    statements
}

/// Returns the statements that mark everything from before, so that a worker makes it, and figures are exact until it has.
fn mark_everything(postgres: bool) -> Vec<String> {
    let id = if postgres { "gen_random_uuid()" } else { "randomblob(16)" };
    vec![
        format!(
            "INSERT INTO activity_marks (id, day, user_id, anonymous_id) \
             SELECT {id}, day, user_id, anonymous_id FROM visitor_days"
        ),
        format!(
            "INSERT INTO activity_marks (id, day) SELECT {id}, d.day FROM (SELECT DISTINCT day FROM visitor_days) AS d"
        ),
    ]
}
