//! Loaders, which read the rows for all resolvers of a level with one statement.
//!
//! A loader reads once every resolver waits, for all of them at once; see [`batches`](crate::graphql::engine::batches).
//! Each operation has its own loaders, so that no caller sees rows of another.

use crate::app::App;
use crate::auth::Viewer;
use crate::db::{self, ChildListing, PageArgs, Slice, Visible};
use crate::error::Result;
use crate::graphql::engine::batches::{BatchScheduler, Found, LoaderCache};
use crate::subscriptions::Holder;
use entity::{products, subscriptions};
use futures_util::future::BoxFuture;
use sea_orm::EntityTrait;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// The model of a table.
pub type Row<E> = Arc<<E as EntityTrait>::Model>;

/// A read for many keys at once.
pub trait Batch: 'static {
    /// The key.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// The value; cheap to clone.
    type Value: Clone + Send + Sync + 'static;

    /// Returns the number of rows in a value, which count towards the cost of the operation.
    fn rows(_: &Self::Value) -> usize {
        1
    }

    /// Reads the values of all keys; keys without a value are left out.
    fn load(
        app: &App,
        viewer: &Viewer,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>>> + Send;
}

/// The loaders of one operation, each created at its first use.
pub struct Loaders {
    app: Arc<App>,
    viewer: Viewer,
    scheduler: Arc<BatchScheduler>,
    caches: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// The cache of the loader `B`.
type CacheOf<B> = LoaderCache<<B as Batch>::Key, <B as Batch>::Value>;

impl Loaders {
    /// Creates loaders that see the rows `viewer` may see.
    pub fn new(app: Arc<App>, viewer: Viewer) -> Self {
        Loaders { app, viewer, scheduler: Arc::default(), caches: Mutex::new(HashMap::new()) }
    }

    /// Returns the caller.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Returns the scheduler of the reads, which must drive the operation: otherwise no loader answers.
    pub fn scheduler(&self) -> Arc<BatchScheduler> {
        Arc::clone(&self.scheduler)
    }

    /// Returns the value of `key`.
    pub async fn load<B: Batch>(&self, key: B::Key) -> Found<B::Value> {
        let found = self.cache::<B>().get(key, &self.scheduler, |cache| self.read::<B>(cache)).await;
        let rows = found.as_ref().map_or(0, |value| value.as_ref().map_or(0, B::rows));
        self.deliver(rows).await;
        found
    }

    /// Counts rows that a resolver is about to turn into objects.
    pub async fn deliver(&self, rows: usize) {
        self.scheduler.deliver(u64::try_from(rows).unwrap_or(u64::MAX)).await;
    }

    /// Stores a value that was read together with something else.
    pub fn put<B: Batch>(&self, key: B::Key, value: B::Value) {
        self.cache::<B>().put(key, value);
    }

    /// Returns the row of `E` with this id if the caller may see it.
    pub async fn row<E: Visible>(&self, id: Uuid) -> Found<Row<E>>
    where
        E::Model: Send + Sync,
    {
        self.load::<ById<E>>(id).await
    }

    /// Reads the values of all keys that wait when the read starts.
    fn read<B: Batch>(&self, cache: Arc<CacheOf<B>>) -> BoxFuture<'static, ()> {
        let (app, viewer) = (Arc::clone(&self.app), self.viewer.clone());
        Box::pin(async move {
            let keys = cache.take();
            let found = B::load(&app, &viewer, &keys).await;
            cache.fill(keys, found);
        })
    }

    fn cache<B: Batch>(&self) -> Arc<CacheOf<B>> {
        let mut caches = self.caches.lock().expect("no holder of this lock panics");
        let cache = caches.entry(TypeId::of::<B>()).or_insert_with(|| Arc::new(CacheOf::<B>::default()));
        Arc::clone(cache).downcast().expect("the entry has this type")
    }
}

/// A loader of rows by id.
pub struct ById<E>(PhantomData<fn() -> E>);

impl<E: Visible> Batch for ById<E>
where
    E::Model: Send + Sync,
{
    type Key = Uuid;
    type Value = Row<E>;

    async fn load(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<HashMap<Uuid, Row<E>>> {
        let rows = db::by_ids::<E>(app.db.read(), viewer, ids).await?;
        Ok(rows.into_iter().map(|(id, row)| (id, Arc::new(row))).collect())
    }
}

/// The key of a list under a parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChildrenOf<L: ChildListing, P = ()> {
    /// The parent's id.
    pub parent: Uuid,
    /// The kind of the parent.
    pub of: L::Of,
    /// The list.
    pub list: L,
    /// The page, for lists with pages.
    pub page: P,
}

/// Groups the parents of keys with the same list and page, which one statement reads.
fn group<L: ChildListing, P: Clone + Eq + Hash>(keys: &[ChildrenOf<L, P>]) -> HashMap<(L::Of, &L, &P), Vec<Uuid>> {
    let mut groups: HashMap<_, Vec<Uuid>> = HashMap::new();
    for key in keys {
        groups.entry((key.of, &key.list, &key.page)).or_default().push(key.parent);
    }
    groups
}

/// A loader of a page of the list under each parent.
pub struct ChildPages<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for ChildPages<L>
where
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    type Key = ChildrenOf<L, PageArgs>;
    type Value = Slice<Row<L::Entity>>;

    fn rows(slice: &Self::Value) -> usize {
        slice.rows.len()
    }

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, page), parents) in group(keys) {
            for (parent, slice) in db::page_each(app.db.read(), viewer, list, page, of, &parents).await? {
                let key = ChildrenOf { parent, of, list: list.clone(), page: page.clone() };
                found.insert(key, slice.map(Arc::new));
            }
        }
        Ok(found)
    }
}

/// A loader of the whole list under each parent, for lists that are short by nature.
pub struct AllChildren<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for AllChildren<L>
where
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    type Key = ChildrenOf<L>;
    type Value = Arc<[Row<L::Entity>]>;

    fn rows(rows: &Self::Value) -> usize {
        rows.len()
    }

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, ()), parents) in group(keys) {
            for (parent, rows) in db::all_each(app.db.read(), viewer, list, of, &parents).await? {
                let key = ChildrenOf { parent, of, list: list.clone(), page: () };
                found.insert(key, rows.into_iter().map(Arc::new).collect());
            }
        }
        Ok(found)
    }
}

/// A loader of the length of the list under each parent.
pub struct ChildCounts<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for ChildCounts<L>
where
    L::Of: Debug,
{
    type Key = ChildrenOf<L>;
    type Value = i64;

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, i64>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, ()), parents) in group(keys) {
            for (parent, count) in db::count_each(app.db.read(), viewer, list, of, &parents).await? {
                found.insert(ChildrenOf { parent, of, list: list.clone(), page: () }, count);
            }
        }
        Ok(found)
    }
}

/// A loader of the subscription that gives each holder their current plan, with the plan.
pub struct CurrentSubscription;

impl Batch for CurrentSubscription {
    type Key = (Holder, Uuid);
    type Value = (Row<subscriptions::Entity>, Row<products::Entity>);

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
        let mut found = HashMap::with_capacity(keys.len());
        for of in [Holder::Account, Holder::User] {
            let holders: Vec<Uuid> = keys.iter().filter(|(kind, _)| *kind == of).map(|(_, id)| *id).collect();
            if holders.is_empty() {
                continue;
            }
            let current = crate::subscriptions::current(app.db.read(), viewer, of, &holders).await?;
            let shared = |(holder, (row, plan))| ((of, holder), (Arc::new(row), Arc::new(plan)));
            found.extend(current.into_iter().map(shared));
        }
        Ok(found)
    }
}
