//! The number of active users by day, made from the days on which people have events, and the days that have to be counted
//! again. On SQLite, triggers of events that mark nothing new cost less.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The marks of an event on SQLite: the name of the trigger, the columns and values, and the condition that it is there.
const MARKS: [(&str, &str, &str, &str); 2] = [
    (
        "activity_of_person",
        "day, user_id, anonymous_id",
        "NEW.day, NEW.user_id, NEW.anonymous_id",
        "m.user_id IS NEW.user_id AND m.anonymous_id IS NEW.anonymous_id",
    ),
    ("activity_of_day", "day", "NEW.day", "m.user_id IS NULL AND m.anonymous_id IS NULL"),
];
/// The trigger before.
const BOTH_MARKS: &str = "CREATE TRIGGER activity_analytics_events AFTER INSERT ON analytics_events BEGIN \
     INSERT INTO activity_marks (id, day, user_id, anonymous_id) SELECT randomblob(16), NEW.day, NEW.user_id, \
     NEW.anonymous_id WHERE NOT EXISTS (SELECT 1 FROM activity_marks m WHERE m.day = NEW.day \
     AND m.user_id IS NEW.user_id AND m.anonymous_id IS NEW.anonymous_id); \
     INSERT INTO activity_marks (id, day) SELECT randomblob(16), NEW.day WHERE NOT EXISTS \
     (SELECT 1 FROM activity_marks m WHERE m.day = NEW.day AND m.user_id IS NULL AND m.anonymous_id IS NULL); END";
/// The columns of the days of one person, in their order.
const DAYS_OF_USERS: [&str; 2] = ["user_id", "day"];
const DAYS_OF_VISITORS: [&str; 2] = ["anonymous_id", "day"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "active_users_daily",
            vec![
                id().into(),
                day().into(),
                // True for visitors who are not known to be users, false for users.
                boolean("are_visitors").into(),
                // People with an event on the day.
                big_integer("daily_count").into(),
                // The people who are active on the day or the 6 days before, less those of the day before; 29 for the month.
                big_integer("weekly_change").into(),
                big_integer("monthly_change").into(),
                check("daily_count >= 0"),
            ],
        )
        .await?;
        unique(manager, "active_users_daily", &["day", "are_visitors"]).await?;
        create(manager, "active_users_marks", vec![id().into(), day().into()]).await?;
        unique(manager, "active_users_marks", &["day"]).await?;
        index_where(manager, "visitor_days", &DAYS_OF_USERS, "user_id IS NOT NULL").await?;
        index_where(manager, "visitor_days", &DAYS_OF_VISITORS, "anonymous_id IS NOT NULL").await?;
        drop_indexes(manager, &[("ix", "visitor_days", &["user_id"])]).await?;
        let id = match manager.get_database_backend() {
            DbBackend::Postgres => "gen_random_uuid()",
            _ => "randomblob(16)",
        };
        // Everything from before is marked, so that a worker counts it, and figures are exact until it has.
        let mark = format!(
            "INSERT INTO activity_marks (id, day) SELECT {id}, d.day FROM (SELECT DISTINCT day FROM visitor_days) AS d"
        );
        run(manager, vec![mark]).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            return Ok(());
        }
        let [person, day] = MARKS.map(|(name, columns, values, is_marked)| {
            format!(
                "CREATE TRIGGER {name} AFTER INSERT ON analytics_events WHEN NOT EXISTS (SELECT 1 FROM activity_marks m \
                 WHERE m.day = NEW.day AND {is_marked}) BEGIN INSERT INTO activity_marks (id, {columns}) \
                 VALUES (randomblob(16), {values}); END"
            )
        });
        run(manager, vec!["DROP TRIGGER activity_analytics_events".to_owned(), person, day]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            let drops = MARKS.map(|(name, ..)| format!("DROP TRIGGER {name}"));
            run(manager, drops.into_iter().chain([BOTH_MARKS.to_owned()]).collect()).await?;
        }
        index(manager, "visitor_days", &["user_id"]).await?;
        drop_indexes(manager, &[("ixp", "visitor_days", &DAYS_OF_USERS), ("ixp", "visitor_days", &DAYS_OF_VISITORS)])
            .await?;
        drop(manager, &["active_users_marks", "active_users_daily"]).await
    }
}

fn day() -> ColumnDef {
    ColumnDef::new("day").date().not_null().take()
}
