//! The assignment of users and visitors to variants.

use super::store;
use super::values::ExperimentVariant;
use crate::accounts;
use crate::analytics::person::{Person, is_anonymous_id};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::{Txn, insert_new};
use crate::error::{Error, Result};
use chrono::TimeDelta;
use entity::experiment_assignments::{ActiveModel, Entity, Model};
use entity::experiments;
use sea_orm::ActiveValue::Set;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The unit to be assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignee {
    /// The calling user.
    Caller,
    /// This user.
    User(Uuid),
    /// The visitor with this id in the host application.
    Visitor(String),
}

/// Returns the variant of a user or visitor in the experiment with this code, and assigns one if they have none. A user
/// may ask for themselves; others need the permission to write events.
pub async fn assign_variant(app: &App, viewer: &Viewer, code: String, assignee: Assignee) -> Result<Model> {
    let person = authorize(viewer, assignee)?;
    let db = app.db.read();
    let unknown = || Error::refused("NOT_FOUND", &["code"], "Experiment not found: create it with `createExperiment`.");
    let experiment = store::experiment_by_code(db, &code).await?.ok_or_else(unknown)?;
    // Most have their variant already, and need no transaction.
    let person = store::identify(db, person).await?;
    if let Some(found) = store::assignment_of(db, experiment.id, &person).await? {
        return Ok(found);
    }
    app.db.write(move |txn| Box::pin(assign(txn, experiment, person))).await
}

fn authorize(viewer: &Viewer, assignee: Assignee) -> Result<Person> {
    let person = match assignee {
        Assignee::Caller => return viewer.require_user().map(Person::User),
        Assignee::User(id) => Person::User(id),
        Assignee::Visitor(id) => Person::Visitor(id),
    };
    if let Person::User(id) = person
        && viewer.user_id() == Some(id)
    {
        return Ok(person);
    }
    viewer.require(Permission::EventsWrite)?;
    if let Person::Visitor(id) = &person
        && !is_anonymous_id(id)
    {
        let message = "`anonymousId` must be 1 to 255 bytes long, without NUL.";
        return Err(Error::refused("ANONYMOUS_ID_INVALID", &["anonymousId"], message));
    }
    Ok(person)
}

async fn assign(txn: &Txn, experiment: experiments::Model, person: Person) -> Result<Model> {
    let person = store::identify(txn, person).await?;
    if let Some(found) = store::assignment_of(txn, experiment.id, &person).await? {
        return Ok(found);
    }
    // Held, so that nobody is assigned after the end.
    let experiment = store::hold_experiment(txn, experiment.id).await?.unwrap_or(experiment);
    if experiment.ended_at.is_some() {
        let message = "The experiment has ended, and this unit has no variant: show the product as it is.";
        return Err(Error::refused("EXPERIMENT_ENDED", &["code"], message));
    }
    if let Person::User(id) = person
        && accounts::user_by_id(txn, id).await?.is_none()
    {
        return Err(Error::refused("USER_NOT_FOUND", &["userId"], "User not found."));
    }
    let now = txn.now();
    let row = ActiveModel {
        id: Set(txn.new_id()),
        experiment_id: Set(experiment.id),
        user_id: Set(person.user_id()),
        anonymous_id: Set(person.anonymous_id().map(str::to_owned)),
        variant: Set(choose(&experiment, &person).to_string()),
        assigned_at: Set(now.fixed_offset()),
        window_ends_at: Set((now + TimeDelta::seconds(experiment.window_seconds)).fixed_offset()),
    };
    // Another transaction may have been first: its row wins.
    insert_new::<Entity>(txn, vec![row]).await?;
    let found = store::assignment_of(txn, experiment.id, &person).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("an assignment is there once it is inserted")))
}

/// Returns the variant of a person by a hash over the experiment and the person, which depends neither on the order of
/// assignments nor on the node.
fn choose(experiment: &experiments::Model, person: &Person) -> ExperimentVariant {
    let mut hash = Sha256::new();
    hash.update(experiment.id.as_bytes());
    match person {
        Person::User(id) => hash.update([b"u", id.as_bytes().as_slice()].concat()),
        Person::Visitor(id) => hash.update([b"v", id.as_bytes()].concat()),
    }
    let point = hash.finalize().iter().take(16).fold(0_u128, |point, byte| (point << 8) | u128::from(*byte));
    let [control, treatment] = [experiment.control_weight, experiment.treatment_weight].map(i64::unsigned_abs);
    if point % u128::from(control + treatment) < u128::from(control) {
        ExperimentVariant::Control
    } else {
        ExperimentVariant::Treatment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn experiment(id: u128, control_weight: i64, treatment_weight: i64) -> experiments::Model {
        experiments::Model {
            id: Uuid::from_u128(id),
            code: "e".to_owned(),
            name: "E".to_owned(),
            conversion_event: "paid".to_owned(),
            window_seconds: 60,
            planned_units: 100,
            control_weight,
            treatment_weight,
            created_at: DateTime::UNIX_EPOCH.fixed_offset(),
            ended_at: None,
        }
    }

    #[test]
    fn units_are_split_by_the_weights_and_experiments_are_independent() {
        let visitor = |number: u32| Person::Visitor(format!("visitor-{number}"));
        for (control, treatment, least, most) in [(1, 1, 4_850, 5_150), (9, 1, 8_900, 9_100), (1, 999_999, 0, 1)] {
            let experiment = experiment(7, control, treatment);
            let is_control = |number: &u32| choose(&experiment, &visitor(*number)) == ExperimentVariant::Control;
            let count = (0..10_000).filter(is_control).count();
            assert!((least..=most).contains(&count), "{control}:{treatment}: {count}");
        }
        let (one, other) = (experiment(7, 1, 1), experiment(8, 1, 1));
        let same = (0..10_000).filter(|number| choose(&one, &visitor(*number)) == choose(&other, &visitor(*number)));
        assert!((4_850..=5_150).contains(&same.count()));
    }

    #[test]
    fn the_hash_never_changes() {
        let experiment = experiment(7, 1, 1);
        let variants = ["a", "b", "c", "d", "e", "f"].map(|id| choose(&experiment, &Person::Visitor(id.to_owned())));
        let user = choose(&experiment, &Person::User(Uuid::from_u128(9)));
        let text: Vec<String> = variants.iter().chain([&user]).map(ToString::to_string).collect();
        let expected = "treatment treatment control control control control treatment";
        assert_eq!(text.join(" "), expected);
    }
}
