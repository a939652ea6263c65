//! Reading entitlements of many accounts at once.

use super::decide::{Decision, decide};
use super::evaluate::{Entitlement, Standing, counted, evaluate, slots, standing};
use super::store;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::Result;
use crate::usage::{Counters, Slot, Terms, cached_terms};
use chrono::{DateTime, Utc};
use entity::features;
use sea_orm::ConnectionTrait;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A question about an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The account; `None` for the one that gives the caller their plan, or else their individual one.
    pub account_id: Option<Uuid>,
    /// The code of the feature; `None` for all features.
    pub feature: Option<String>,
}

/// The answer: an entitlement for each feature in question, with the feature, by code.
pub type Answer = Vec<(Entitlement, Arc<features::Model>)>;

/// A feature of an account that is evaluated.
struct Question<'a> {
    asked: &'a Asked,
    terms: &'a Terms,
    feature: Arc<features::Model>,
    standing: Standing,
    slots: Vec<Slot>,
}

/// Answers questions in a constant number of statements. There is no answer about an account that the caller may not see,
/// and an empty one about a feature that does not exist.
pub async fn read(app: &App, viewer: &Viewer, asked: &[Asked]) -> Result<HashMap<Asked, Answer>> {
    let (db, now) = (app.db.read(), app.now());
    let accounts: HashSet<Uuid> = asked.iter().filter_map(|asked| asked.account_id).collect();
    let own = asked.iter().any(|asked| asked.account_id.is_none());
    let (terms, own) = cached_terms(app, viewer, &accounts.into_iter().collect::<Vec<_>>(), own).await?;
    let terms_of = |asked: &Asked| terms.get(&asked.account_id.or(own)?);
    let seen: Vec<&Asked> = asked.iter().filter(|asked| terms_of(asked).is_some()).collect();
    let all = match seen.iter().any(|asked| asked.feature.is_none()) {
        true => store::all_features(db).await?,
        false => Vec::new(),
    };
    let known = |asked: &Asked, code: &str| terms_of(asked).and_then(|terms| terms.feature(code)).cloned();
    let unknown = seen.iter().filter_map(|asked| asked.feature.as_deref().filter(|code| known(asked, code).is_none()));
    let unknown: HashSet<&str> = unknown.collect();
    let others = match unknown.is_empty() {
        true => HashMap::new(),
        false => store::features_named(db, unknown.into_iter()).await?,
    };
    let mut questions = Vec::new();
    for asked in &seen {
        let features = match asked.feature.as_deref() {
            None => all.clone(),
            Some(code) => known(asked, code).or_else(|| others.get(code).cloned()).into_iter().collect(),
        };
        let Some(terms) = terms_of(asked) else { continue };
        for feature in features {
            let standing = standing(terms, &feature, now)?;
            let slots = match &standing {
                Standing::Granted(grant) => slots(terms, &feature, &grant.limits, now),
                Standing::Denied(_) => Vec::new(),
            };
            questions.push(Question { asked, terms, feature, standing, slots });
        }
    }
    let counted_in: Vec<Slot> = questions.iter().flat_map(|question| question.slots.iter().copied()).collect();
    let counters = Counters::read(db, &counted_in).await?;
    let credits = credits(db, &questions, &counters, now).await?;
    let mut answers: HashMap<Asked, Answer> = seen.into_iter().map(|asked| (asked.clone(), Vec::new())).collect();
    for Question { asked, terms, feature, standing, .. } in questions {
        let can_pay = |unit, cost| credits.get(&(terms.account_id, unit)).is_some_and(|available| *available >= cost);
        let entitlement = evaluate(terms, &feature, &standing, &counters, can_pay, now);
        if let Some(answer) = answers.get_mut(asked) {
            answer.push((entitlement, feature));
        }
    }
    Ok(answers)
}

/// Returns the credits of the accounts that a further unit would cost some.
async fn credits(
    db: &impl ConnectionTrait,
    questions: &[Question<'_>],
    counters: &Counters,
    now: DateTime<Utc>,
) -> Result<HashMap<(Uuid, Uuid), i64>> {
    let pays = |question: &&Question<'_>| match &question.standing {
        Standing::Granted(grant) => {
            matches!(decide(&counted(&grant.limits, &question.slots, counters), 1), Decision::Charged(Some(_)))
        }
        Standing::Denied(_) => false,
    };
    let accounts: HashSet<Uuid> = questions.iter().filter(pays).map(|question| question.terms.account_id).collect();
    store::available(db, &accounts.into_iter().collect::<Vec<_>>(), now).await
}
