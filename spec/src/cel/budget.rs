//! Bounds on the cost of an expression, known before it is evaluated.

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use serde_json::Value;

use super::CelError;
use crate::executor::ExecutorInputs;

/// Steps that one evaluation may take, by estimate: a second or so at the very worst.
pub(super) const MAX_STEPS: u64 = 10_000_000;
/// Operators and brackets in one expression: chained operators make a tree as deep as the chain is long.
const MAX_CHAIN: usize = 300;
/// Brackets and `?:` within each other. The parser needs many frames for each.
const MAX_NESTING: usize = 24;
/// Up to here an expression needs no stack of its own: all that the SDK writes for one branch.
const SHALLOW_CHAIN: usize = 32;
const SHALLOW_NESTING: usize = 3;
/// Bytes that count as one step where text is joined or searched.
const BYTES_PER_STEP: u64 = 64;

/// Refuses expressions whose tree could be deep. Every level of the tree comes from a bracket, an operator, a `.` or a
/// `?`, so counting those outside of strings bounds the depth; conditions of many branches stay far below. Says
/// whether the tree is shallow.
pub(super) fn check_depth(text: &str) -> Result<bool, CelError> {
    let mut chain = 0;
    let mut open = 0_usize;
    let mut choices = 0;
    let mut nesting = 0;
    // Raw and tripled strings end elsewhere than others. Where there are any, all text counts as code.
    let unusual = ["r'", "R'", "r\"", "R\"", "'''", "\"\"\""];
    let skips = !unusual.iter().any(|quote| text.contains(quote));
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' if skips => skip_string(&mut characters, character),
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '?' => choices += 1,
            '+' | '-' | '*' | '/' | '%' | '!' | '<' | '>' | '=' | '&' | '|' | '.' => {}
            _ => continue,
        }
        chain += 1;
        nesting = nesting.max(open + choices);
    }
    if nesting > MAX_NESTING {
        return Err(CelError::TooDeep { limit: MAX_NESTING });
    }
    if chain > MAX_CHAIN {
        return Err(CelError::TooDeep { limit: MAX_CHAIN });
    }
    Ok(chain <= SHALLOW_CHAIN && nesting <= SHALLOW_NESTING)
}

/// Skips a string with escapes, up to and including its closing quote.
fn skip_string(characters: &mut std::str::Chars<'_>, quote: char) {
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == quote => return,
            _ => {}
        }
    }
}

/// How large the values are that an expression can reach.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    longest: u64,
    bytes: u64,
}

impl Size {
    pub(super) fn of_value(value: &Value) -> Self {
        let mut size = Self::default();
        size.add(value);
        size
    }

    pub(super) fn of_inputs(inputs: &ExecutorInputs) -> Self {
        let mut size = Self::default();
        size.collection(inputs.parameter_values.len());
        inputs.parameter_values.values().for_each(|value| size.add(value));
        size.collection(inputs.artifacts.len());
        for list in inputs.artifacts.values() {
            size.collection(list.artifacts.len());
            for artifact in &list.artifacts {
                size.bytes = size.bytes.saturating_add(artifact.uri.len() as u64);
                size.collection(artifact.metadata.len());
                artifact.metadata.values().for_each(|value| size.add(value));
            }
        }
        size
    }

    fn add(&mut self, value: &Value) {
        let mut pending = vec![value];
        while let Some(value) = pending.pop() {
            self.bytes = self.bytes.saturating_add(8);
            match value {
                Value::String(text) => self.bytes = self.bytes.saturating_add(text.len() as u64),
                Value::Array(items) => {
                    self.collection(items.len());
                    pending.extend(items);
                }
                Value::Object(members) => {
                    self.collection(members.len());
                    pending.extend(members.values());
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    fn collection(&mut self, length: usize) {
        self.longest = self.longest.max(length as u64);
    }
}

/// What the cost of an expression depends on: for each depth of macros within macros, how many nodes there are and
/// how many of them work on whole texts or lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    levels: Vec<Level>,
    additions: u64,
    literals: u64,
    parses: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    nodes: u64,
    bulk: u64,
}

impl Shape {
    pub(super) fn of(root: &IdedExpr) -> Self {
        let mut shape = Self::default();
        let mut pending = vec![(root, 0)];
        while let Some((expression, depth)) = pending.pop() {
            shape.visit(expression, depth, &mut pending);
        }
        shape
    }

    fn visit<'a>(&mut self, expression: &'a IdedExpr, depth: usize, pending: &mut Vec<(&'a IdedExpr, usize)>) {
        if self.levels.len() <= depth {
            self.levels.resize(depth + 1, Level::default());
        }
        let mut bulk = false;
        match &expression.expr {
            Expr::Call(call) => {
                bulk = !matches!(call.func_name.as_str(), "_&&_" | "_||_" | "!_" | "_?_:_" | "@not_strictly_false");
                self.additions += u64::from(call.func_name == "_+_");
                self.parses += u64::from(call.func_name == "parseJson");
                pending.extend(call.target.iter().map(|target| (&**target, depth)));
                pending.extend(call.args.iter().map(|argument| (argument, depth)));
            }
            Expr::Comprehension(comprehension) => {
                pending.push((&comprehension.iter_range, depth));
                pending.push((&comprehension.accu_init, depth));
                pending.push((&comprehension.result, depth));
                pending.push((&comprehension.loop_cond, depth + 1));
                pending.push((&comprehension.loop_step, depth + 1));
            }
            Expr::List(list) => {
                self.literals = self.literals.max(list.elements.len() as u64);
                pending.extend(list.elements.iter().map(|element| (element, depth)));
            }
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr), depth, pending),
            Expr::Struct(structure) => self.entries(structure.entries.iter().map(|entry| &entry.expr), depth, pending),
            Expr::Select(select) => pending.push((&select.operand, depth)),
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
        if let Some(level) = self.levels.get_mut(depth) {
            level.nodes += 1;
            level.bulk += u64::from(bulk);
        }
    }

    fn entries<'a>(
        &mut self,
        entries: impl ExactSizeIterator<Item = &'a EntryExpr>,
        depth: usize,
        pending: &mut Vec<(&'a IdedExpr, usize)>,
    ) {
        self.literals = self.literals.max(entries.len() as u64);
        for entry in entries {
            match entry {
                EntryExpr::StructField(field) => pending.push((&field.value, depth)),
                EntryExpr::MapEntry(entry) => pending.extend([(&entry.key, depth), (&entry.value, depth)]),
            }
        }
    }

    /// Upper bound of the steps over values of a size.
    pub(super) fn steps(&self, size: Size) -> u64 {
        // Text that is parsed as JSON can hold a list of half its length; joined lists are longer than each part.
        let parsed = if self.parses > 0 { size.bytes / 2 } else { 0 };
        let longest = size.longest.max(parsed).max(self.literals).saturating_mul(self.additions.saturating_add(1));
        let weight = (size.bytes / BYTES_PER_STEP).saturating_mul(self.additions.saturating_add(1));
        let mut rounds = 1_u64;
        let mut steps = 0_u64;
        for (depth, level) in self.levels.iter().enumerate() {
            if depth > 0 {
                rounds = rounds.saturating_mul(longest.max(1));
            }
            let work = level.nodes.saturating_add(level.bulk.saturating_mul(if depth == 0 { 0 } else { weight }));
            steps = steps.saturating_add(rounds.saturating_mul(work));
        }
        // Outside of macros only these copy values; all else looks at them at most once.
        steps.saturating_add(self.additions.saturating_add(self.parses).saturating_mul(weight))
    }
}
