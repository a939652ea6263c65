//! People and the accounts they bill through, forty at a time.

use super::calendar::{At, days, hours};
use super::customer::{Customer, World};
use super::dice::Dice;
use super::names::{DOMAINS, FAMILY_NAMES, GIVEN_NAMES, LOCALES};
use super::personas::{Kind, live};
use super::rows::Rows;
use super::visits;
use ::entity::{account_members, accounts, subscriptions, user_identities, users};
use uuid::Uuid;

/// The users of a block. Couples and teams form within a block.
pub(super) const BLOCK: u64 = 40;

struct Person {
    number: u64,
    id: Uuid,
    joined: At,
    locale: &'static str,
    family_name: &'static str,
    email: Option<String>,
    name: Option<String>,
}

/// A group within a block: the indexes of its members, the owner first.
struct Group {
    kind: &'static str,
    members: Vec<usize>,
}

/// Generates the users of one block with their histories.
pub(super) fn block(world: &World, users: u64, block: u64, rows: &mut Rows) {
    let mut dice = Dice::new(world.seed, block + 1);
    let before = (rows.users.len(), rows.accounts.len(), rows.subscriptions.len());
    let numbers = block * BLOCK + 1..=users.min((block + 1) * BLOCK);
    let people: Vec<Person> = numbers.map(|number| person(world, &mut dice, rows, number)).collect();
    let groups = groups(&mut dice, block, people.len());
    for (place, person) in people.iter().enumerate() {
        let covered = groups.iter().any(|group| group.members.contains(&place));
        let kind = if covered { Kind::Covered } else { Kind::Individual };
        let account = Account { kind: "individual", name: None, at: person.joined, size: 1 };
        let id = open(world, &mut dice, rows, person, account, kind);
        member(&mut dice, rows, (id, person.id), "owner", (person.joined, None));
    }
    for group in &groups {
        form(world, &mut dice, rows, group, &people);
    }
    let own = OfBlock {
        users: &rows.users[before.0..],
        accounts: &rows.accounts[before.1..],
        subscriptions: &rows.subscriptions[before.2..],
    };
    let visitors: Vec<visits::User> = people.iter().filter_map(|person| own.visitor(world, person)).collect();
    visits::of_block(world, rows, block, &visitors);
}

/// The rows of a block, without those before it.
struct OfBlock<'r> {
    users: &'r [users::Model],
    accounts: &'r [accounts::Model],
    subscriptions: &'r [subscriptions::Model],
}

impl OfBlock<'_> {
    /// Returns a person as their events depend on them; `None` for one who was erased.
    fn visitor(&self, world: &World, person: &Person) -> Option<visits::User> {
        let user = self.users.iter().find(|row| row.id == person.id && row.erased_at.is_none())?;
        let owned = self.accounts.iter().filter(|row| row.owner_id == person.id);
        let owned: Vec<Uuid> = owned.map(|row| row.id).collect();
        let plans = self.subscriptions.iter().filter(|row| owned.contains(&row.account_id));
        let bought = plans.filter(|row| row.provider != "manual").map(|row| row.started_at).min();
        let is_active = user.last_active_at.is_some_and(|at| at >= world.calendar.now - days(3));
        Some(visits::User { id: person.id, joined: person.joined, bought, is_active })
    }
}

/// Generates the administrator, who precedes all users.
pub(super) fn admin(world: &World, dice: &mut Dice, rows: &mut Rows) {
    let at = world.calendar.start;
    let email = "admin@example.com".to_owned();
    rows.users.push(users::Model {
        id: world.admin,
        email: Some(email.clone()),
        email_normalized: Some(email),
        name: Some("Ada Admin".to_owned()),
        avatar_url: None,
        locale: Some("en-GB".to_owned()),
        role: "admin".to_owned(),
        created_at: at,
        last_active_at: Some(world.calendar.horizon()),
        erased_at: None,
    });
    identity(world, dice, rows, world.admin, "user_admin".to_owned(), at);
    let (locale, family_name) = ("en-GB", "Admin");
    let person = Person { number: 0, id: world.admin, joined: at, locale, family_name, email: None, name: None };
    let account = Account { kind: "individual", name: None, at, size: 1 };
    let id = open(world, dice, rows, &person, account, Kind::Covered);
    member(dice, rows, (id, person.id), "owner", (at, None));
}

fn identity(world: &World, dice: &mut Dice, rows: &mut Rows, user_id: Uuid, subject: String, at: At) {
    let (id, issuer) = (dice.id(at), world.issuer.clone());
    rows.user_identities.push(user_identities::Model { id, user_id, issuer, subject, created_at: at });
}

fn person(world: &World, dice: &mut Dice, rows: &mut Rows, number: u64) -> Person {
    let joined = world.calendar.sign_up(number);
    let id = dice.id(joined);
    let (given, family_name) = (*dice.pick(&GIVEN_NAMES), *dice.pick(&FAMILY_NAMES));
    let locale = dice.weighted(&LOCALES);
    let domain = dice.weighted(&DOMAINS);
    let local = match dice.below(3) {
        0 => format!("{given}.{family_name}{number}"),
        1 => format!("{}.{}{number}", given.to_lowercase(), family_name.to_lowercase()),
        _ => format!("{}{}_{number}", &given[..1].to_lowercase(), family_name.to_lowercase()),
    };
    let lively = number <= 5;
    let erased_at = (!lively && dice.chance(2)).then(|| joined + days(dice.between(20, 200)));
    let erased_at = erased_at.filter(|at| *at <= world.calendar.horizon());
    let (known, named) = (lively || dice.chance(950), lively || dice.chance(930));
    let email = (known && erased_at.is_none()).then(|| format!("{local}@{domain}"));
    let name = (named && erased_at.is_none()).then(|| format!("{given} {family_name}"));
    let last = if lively || dice.chance(550) { world.calendar.now - days(3) } else { joined };
    let last_active_at = dice.instant(joined.max(last), world.calendar.now);
    let person = Person { number, id, joined, locale, family_name, email: email.clone(), name: name.clone() };
    rows.users.push(users::Model {
        id,
        email_normalized: email.as_ref().map(|email| email.to_lowercase()),
        email,
        avatar_url: (name.is_some() && dice.chance(300)).then(|| format!("https://avatars.example.com/{number}.png")),
        name,
        locale: dice.chance(900).then(|| locale.to_owned()),
        role: "user".to_owned(),
        created_at: joined,
        last_active_at: erased_at.is_none().then_some(last_active_at),
        erased_at,
    });
    identity(world, dice, rows, id, format!("user_{number}"), joined);
    person
}

/// Forms the groups of a block: the last two people are a couple, some of the others a team.
fn groups(dice: &mut Dice, block: u64, people: usize) -> Vec<Group> {
    let mut groups = Vec::new();
    if people == 40 {
        groups.push(Group { kind: "couple", members: vec![38, 39] });
    }
    let size = usize::try_from(dice.between(3, 8)).expect("a small number");
    if people >= 20 + size {
        let kind = if block % 6 == 5 { "organisation" } else { "team" };
        groups.push(Group { kind, members: (20..20 + size).collect() });
    }
    groups
}

fn form(world: &World, dice: &mut Dice, rows: &mut Rows, group: &Group, people: &[Person]) {
    let owner = &people[group.members[0]];
    // All members have signed up by then, since the last of the block is the latest.
    let at = people[group.members[group.members.len() - 1]].joined + hours(dice.between(0, 3));
    if at > world.calendar.horizon() {
        return;
    }
    let couple = group.kind == "couple";
    let size = i64::try_from(group.members.len()).expect("a small number");
    let name = match couple {
        true => format!("{} & {}", owner.family_name, people[group.members[1]].family_name),
        false => format!("{} {}", owner.family_name, dice.pick(&["Studio", "Partners", "Labs", "& Co", "Systems"])),
    };
    let account = Account { kind: group.kind, name: Some(name), at, size };
    let id = open(world, dice, rows, owner, account, if couple { Kind::Couple } else { Kind::Team(size) });
    for (rank, place) in group.members.iter().enumerate() {
        let joined = at + hours(dice.between(0, 60) * i64::from(rank > 0));
        if joined > world.calendar.horizon() {
            continue;
        }
        let role = match rank {
            0 => "owner",
            1 if !couple && dice.chance(600) => "admin",
            _ => "member",
        };
        let left_at = Some(joined + days(dice.between(10, 200)));
        let leaves = rank > 1 && dice.chance(120);
        let left_at = left_at.filter(|left| leaves && *left <= world.calendar.horizon());
        member(dice, rows, (id, people[*place].id), role, (joined, left_at));
    }
}

struct Account {
    kind: &'static str,
    name: Option<String>,
    at: At,
    size: i64,
}

/// Opens an account for `owner`, and simulates its history.
fn open(world: &World, dice: &mut Dice, rows: &mut Rows, owner: &Person, account: Account, kind: Kind) -> Uuid {
    let id = dice.id(account.at);
    let euro = matches!(owner.locale, "de-DE" | "fr-FR" | "it-IT" | "es-ES" | "nl-NL");
    let currency = if euro { "EUR" } else { "USD" };
    let provider = if owner.number > 5 && dice.chance(110) { "paddle" } else { "stripe" };
    let reference = dice.token(if provider == "stripe" { "cus_" } else { "ctm_" });
    let (time_zone, offset_hours) = match owner.locale {
        "ja-JP" => ("Asia/Tokyo", 9),
        "pt-BR" => ("America/Sao_Paulo", -3),
        _ => ("UTC", 0),
    };
    let mut customer = Customer {
        world,
        dice,
        aside: Dice::new(world.seed, id.as_u64_pair().1),
        rows,
        account_id: id,
        number: owner.number,
        owner: owner.id,
        currency,
        provider,
        reference,
        invoices: 0,
        books: Dice::new(world.seed ^ 1, id.as_u64_pair().1),
        offset_hours,
        credits: Vec::new(),
        held: Vec::new(),
        lifted: Vec::new(),
    };
    let before = customer.rows.subscriptions.len();
    let bought = live(&mut customer, kind, account.at);
    let mut billed = customer.rows.subscriptions[before..].iter().filter(|row| row.provider != "manual").peekable();
    if billed.peek().is_some() || customer.invoices > 0 {
        let owes = billed.any(|row| ["past_due", "unpaid"].contains(&row.status.as_str()));
        customer.write_provider_customer(account.at, owes, (owner.email.clone(), owner.name.clone()));
    }
    let workspace = account.size > 2;
    rows.accounts.push(accounts::Model {
        id,
        kind: account.kind.to_owned(),
        owner_id: owner.id,
        name: account.name,
        currency: bought.then(|| currency.to_owned()),
        ref_type: workspace.then(|| "workspace".to_owned()),
        ref_id: workspace.then(|| format!("ws_{}", owner.number)),
        created_at: account.at,
        time_zone: time_zone.to_owned(),
    });
    id
}

fn member(
    dice: &mut Dice,
    rows: &mut Rows,
    (account_id, user_id): (Uuid, Uuid),
    role: &str,
    (joined_at, left_at): (At, Option<At>),
) {
    let id = dice.id(joined_at);
    let role = role.to_owned();
    rows.account_members.push(account_members::Model { id, account_id, user_id, role, joined_at, left_at });
}
