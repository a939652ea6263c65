//! The cost of an operation before it runs. It is added up once per plan; only page sizes and lists in variables are left
//! for each request.

use apollo_compiler::{Node, ast};
use async_graphql::Value;

use super::{
    bind::Variables,
    plan::{Children, Field},
};
use crate::db::MAX_PAGE_SIZE;
use crate::graphql::engine::cost::weights::ListSize;

/// The cost of a part of a plan: `fixed`, and what depends on variables. All arithmetic saturates.
#[derive(Debug, Default, Clone)]
pub(super) struct Estimate {
    fixed: u64,
    open: Vec<Open>,
}

/// A cost that depends on variables.
#[derive(Debug, Clone)]
enum Open {
    /// The cost of an item, for each item of a list.
    Times(Size, Estimate),
    /// The costs of the types that an object may have.
    Largest(Vec<Estimate>),
}

/// The number of items of a list.
#[derive(Debug, Clone)]
enum Size {
    Known(u64),
    /// The largest of the arguments that are given, or the assumed size.
    Given(Vec<Node<ast::Value>>, u64),
}

impl Estimate {
    /// Adds up the cost of selections on one object.
    pub(super) fn of(children: &Children) -> Estimate {
        Estimate::below(children, None)
    }

    /// Returns the cost in thousandths for these variables.
    pub(super) fn evaluate(&self, variables: &Variables) -> u64 {
        let open = self.open.iter().map(|open| match open {
            Open::Times(size, item) => size.evaluate(variables).saturating_mul(item.evaluate(variables)),
            Open::Largest(types) => types.iter().map(|of| of.evaluate(variables)).max().unwrap_or_default(),
        });
        open.fold(self.fixed, u64::saturating_add)
    }

    /// Adds up selections, with the size of the lists that the field above them sizes.
    fn below(children: &Children, sized: Option<(&ListSize, &Size)>) -> Estimate {
        let sum = |fields: &[std::sync::Arc<Field>]| {
            let mut sum = Estimate::default();
            fields.iter().for_each(|field| sum.add(Estimate::of_field(field, sized)));
            sum
        };
        match children {
            Children::Same(fields) => sum(fields),
            Children::ByType { types, .. } => Estimate::largest(types.values().map(|of| sum(&of.all)).collect()),
        }
    }

    fn of_field(field: &Field, sized: Option<(&ListSize, &Size)>) -> Estimate {
        let own = field.cost.size.as_deref().map(|size| (size, Size::of(field, size)));
        let own = own.as_ref().map(|(list, size)| (*list, size));
        let mut item = Estimate { fixed: field.cost.item, open: Vec::new() };
        if let Some(children) = &field.children {
            item.add(Estimate::below(children, own));
        }
        let above = sized.filter(|(list, _)| list.sized.iter().any(|name| name == field.name.as_str()));
        let mut cost = Estimate { fixed: field.cost.call, open: Vec::new() };
        match above.or(own).filter(|_| field.ty.is_list()) {
            Some((_, size)) => cost.add(item.times(size)),
            None => cost.add(item),
        }
        cost
    }

    fn add(&mut self, other: Estimate) {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.open.extend(other.open);
    }

    fn times(self, size: &Size) -> Estimate {
        match size {
            Size::Known(size) if self.open.is_empty() => {
                Estimate { fixed: self.fixed.saturating_mul(*size), open: Vec::new() }
            }
            size => Estimate { fixed: 0, open: vec![Open::Times(size.clone(), self)] },
        }
    }

    fn largest(types: Vec<Estimate>) -> Estimate {
        if types.iter().all(|of| of.open.is_empty()) {
            let fixed = types.iter().map(|of| of.fixed).max().unwrap_or_default();
            return Estimate { fixed, open: Vec::new() };
        }
        Estimate { fixed: 0, open: vec![Open::Largest(types)] }
    }
}

impl Size {
    fn of(field: &Field, size: &ListSize) -> Size {
        let given = field.arguments.iter().filter(|argument| size.slicing.iter().any(|it| *it == *argument.name.node));
        let given: Vec<Node<ast::Value>> = given.map(|argument| argument.value.clone()).collect();
        let known = given.iter().all(|value| !matches!(&**value, ast::Value::Variable(_)));
        let size = Size::Given(given, size.assumed);
        if known { Size::Known(size.evaluate(&Variables::new())) } else { size }
    }

    fn evaluate(&self, variables: &Variables) -> u64 {
        let (given, assumed) = match self {
            Size::Known(size) => return *size,
            Size::Given(given, assumed) => (given, assumed),
        };
        given.iter().filter_map(|value| size_of(value, variables)).max().unwrap_or(*assumed)
    }
}

/// Returns the size of the page that an argument asks for, or the number of its items; `None` if it is not given. A size
/// that the resolver refuses costs no more than the largest page, so that the caller is told which argument is wrong.
fn size_of(value: &ast::Value, variables: &Variables) -> Option<u64> {
    match value {
        ast::Value::Int(number) => Some(number.as_str().parse::<u64>().unwrap_or(0).min(MAX_PAGE_SIZE)),
        ast::Value::List(items) => Some(count(items.len())),
        ast::Value::Variable(name) => match variables.get(name.as_str())? {
            Value::Null => None,
            Value::Number(number) => Some(number.as_u64().unwrap_or(0).min(MAX_PAGE_SIZE)),
            Value::List(items) => Some(count(items.len())),
            _ => Some(1),
        },
        ast::Value::Null => None,
        _ => Some(1),
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// Returns the path of response keys to the selection that makes an operation expensive: as far down as one field has most
/// of the cost.
pub(super) fn costliest(root: &Children, variables: &Variables) -> String {
    let mut path = Vec::new();
    let mut open = Some(root);
    let mut least = Estimate::of(root).evaluate(variables) / 2;
    while let Some(children) = open {
        let fields: Vec<&Field> = match children {
            Children::Same(fields) => fields.iter().map(|field| &**field).collect(),
            Children::ByType { types, .. } => {
                types.values().flat_map(|of| of.all.iter()).map(|field| &**field).collect()
            }
        };
        let costs = fields.into_iter().map(|field| (share(field, variables), field));
        let Some((cost, field)) = costs.max_by_key(|(cost, _)| *cost) else { break };
        if cost < least || field.children.is_none() {
            break;
        }
        path.push(field.key.as_str());
        // Below a page, the costs are those of one row.
        least = field.children.as_ref().map_or(0, |children| Estimate::of(children).evaluate(variables) / 2);
        open = field.children.as_ref();
    }
    path.join(".")
}

fn share(field: &Field, variables: &Variables) -> u64 {
    Estimate::of_field(field, None).evaluate(variables)
}
