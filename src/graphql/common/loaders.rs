//! Loaders: what the rows of one level ask for, in one statement.
//!
//! A loader reads when every resolver has asked, for all of them at once; see [`batches`](crate::graphql::engine::batches). Each operation
//! has its own, so that nothing one caller saw is shown to another.

use crate::app::App;
use crate::auth::Viewer;
use crate::db::{self, ChildListing, PageArgs, Slice, Visible};
use crate::error::Result;
use crate::graphql::engine::batches::{Batches, Found, Shelf};
use crate::subscriptions::{self as feature, Holder};
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

/// A way to read for many keys at once.
pub trait Batch: 'static {
    /// What is asked for.
    type Key: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// What is found; cheap to clone.
    type Value: Clone + Send + Sync + 'static;

    /// Reads for all keys; a key without an answer is left out.
    fn load(
        app: &App,
        viewer: &Viewer,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>>> + Send;
}

/// The loaders of one operation, each made when it is first asked.
pub struct Loaders {
    app: Arc<App>,
    viewer: Viewer,
    batches: Arc<Batches>,
    shelves: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

/// Where the answers of `B` are kept.
type ShelfOf<B> = Shelf<<B as Batch>::Key, <B as Batch>::Value>;

impl Loaders {
    /// Loaders that see what `viewer` may see.
    pub fn new(app: Arc<App>, viewer: Viewer) -> Self {
        Loaders { app, viewer, batches: Arc::default(), shelves: Mutex::new(HashMap::new()) }
    }

    /// Whose loaders these are.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Returns the reads that resolvers have asked for; no loader answers unless these drive the operation.
    pub fn batches(&self) -> Arc<Batches> {
        Arc::clone(&self.batches)
    }

    /// What `B` finds for `key`.
    pub async fn load<B: Batch>(&self, key: B::Key) -> Found<B::Value> {
        self.shelf::<B>().get(key, &self.batches, |shelf| self.read::<B>(shelf)).await
    }

    /// Keeps what `B` would find for `key` and was read with something else.
    pub fn put<B: Batch>(&self, key: B::Key, value: B::Value) {
        self.shelf::<B>().put(key, value);
    }

    /// The row of `E` with this id, if the viewer may see it.
    pub async fn row<E: Visible>(&self, id: Uuid) -> Found<Row<E>>
    where
        E::Model: Send + Sync,
    {
        self.load::<ById<E>>(id).await
    }

    /// Reads for every key that waits when this starts.
    fn read<B: Batch>(&self, shelf: Arc<ShelfOf<B>>) -> BoxFuture<'static, ()> {
        let (app, viewer) = (Arc::clone(&self.app), self.viewer.clone());
        Box::pin(async move {
            let keys = shelf.take();
            let found = B::load(&app, &viewer, &keys).await;
            shelf.fill(keys, found);
        })
    }

    fn shelf<B: Batch>(&self) -> Arc<ShelfOf<B>> {
        let mut shelves = self.shelves.lock().expect("no holder of this lock panics");
        let shelf = shelves.entry(TypeId::of::<B>()).or_insert_with(|| Arc::new(ShelfOf::<B>::default()));
        Arc::clone(shelf).downcast().expect("the entry was made for this type")
    }
}

/// Rows by their id.
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

/// A list under a parent: which parent, of which kind, which list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Under<L: ChildListing, P = ()> {
    /// The parent's id.
    pub parent: Uuid,
    /// What kind of parent it is.
    pub of: L::Of,
    /// The list.
    pub list: L,
    /// Which page of it, where it has pages.
    pub page: P,
}

/// Keys with the same list and page, which one statement answers, by their parents.
fn grouped<L: ChildListing, P: Clone + Eq + Hash>(keys: &[Under<L, P>]) -> HashMap<(L::Of, &L, &P), Vec<Uuid>> {
    let mut groups: HashMap<_, Vec<Uuid>> = HashMap::new();
    for key in keys {
        groups.entry((key.of, &key.list, &key.page)).or_default().push(key.parent);
    }
    groups
}

/// A page of the list under each parent.
pub struct Pages<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for Pages<L>
where
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    type Key = Under<L, PageArgs>;
    type Value = Slice<Row<L::Entity>>;

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, page), parents) in grouped(keys) {
            for (parent, slice) in db::page_each(app.db.read(), viewer, list, page, of, &parents).await? {
                let key = Under { parent, of, list: list.clone(), page: page.clone() };
                found.insert(key, slice.map(Arc::new));
            }
        }
        Ok(found)
    }
}

/// The whole list under each parent, where lists are short by nature.
pub struct Wholes<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for Wholes<L>
where
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    type Key = Under<L>;
    type Value = Arc<[Row<L::Entity>]>;

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, Self::Value>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, ()), parents) in grouped(keys) {
            for (parent, rows) in db::all_each(app.db.read(), viewer, list, of, &parents).await? {
                let key = Under { parent, of, list: list.clone(), page: () };
                found.insert(key, rows.into_iter().map(Arc::new).collect());
            }
        }
        Ok(found)
    }
}

/// How long the list under each parent is.
pub struct Counts<L>(PhantomData<fn() -> L>);

impl<L: ChildListing + Debug> Batch for Counts<L>
where
    L::Of: Debug,
{
    type Key = Under<L>;
    type Value = i64;

    async fn load(app: &App, viewer: &Viewer, keys: &[Self::Key]) -> Result<HashMap<Self::Key, i64>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((of, list, ()), parents) in grouped(keys) {
            for (parent, count) in db::count_each(app.db.read(), viewer, list, of, &parents).await? {
                found.insert(Under { parent, of, list: list.clone(), page: () }, count);
            }
        }
        Ok(found)
    }
}

/// The subscription that gives each holder their plan at present, with that plan.
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
            let current = feature::current(app.db.read(), viewer, of, &holders).await?;
            let shared = |(holder, (row, plan))| ((of, holder), (Arc::new(row), Arc::new(plan)));
            found.extend(current.into_iter().map(shared));
        }
        Ok(found)
    }
}
