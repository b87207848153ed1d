//! YAML events to JSON values, without recursion and within budgets: depth, number of values, and what aliases add.
//! Duplicate keys and unknown tags are errors.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::{ParseError, merge, scalar};
use crate::limits::Limits;

/// Bytes of text that weigh as much as one value.
const BYTES_PER_NODE: usize = 16;

/// Reads all documents of a stream; an empty document is null.
pub(super) fn read_documents(text: &str, limits: &Limits) -> Result<Vec<Value>, ParseError> {
    let options = granit_parser::options! {
        emit_comments: false,
        // As libyaml reads them, and with it the SDK and KFP.
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    let mut builder = Builder::new(text.len(), limits);
    let mut documents = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| ParseError::Yaml {
            message: error.info().to_string(),
            line: error.marker().line(),
            column: error.marker().col() + 1,
        })?;
        if let Event::DocumentEnd = event {
            if documents.len() >= limits.documents {
                return Err(at(&span, format!("the file holds more than {} documents", limits.documents)));
            }
            documents.push(builder.finish_document());
        } else {
            builder.take(event, &span).map_err(|message| at(&span, message))?;
        }
    }
    Ok(documents)
}

fn at(span: &Span, message: String) -> ParseError {
    ParseError::Yaml { message, line: span.start.line(), column: span.start.col() + 1 }
}

/// A value with what an alias to it costs.
#[derive(Clone)]
struct Node {
    value: Value,
    weight: usize,
    height: usize,
}

/// A list or mapping that is not complete.
struct Open {
    anchor: usize,
    weight: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Value>),
    Mapping { members: Map<String, Value>, key: Option<Key>, merges: Vec<Value> },
}

enum Key {
    Name(String),
    Merge,
}

struct Builder<'a> {
    limits: &'a Limits,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    document: Option<Value>,
    nodes: usize,
    alias_weight: usize,
    alias_limit: usize,
}

impl<'a> Builder<'a> {
    fn new(text_bytes: usize, limits: &'a Limits) -> Self {
        let alias_limit = limits.alias_nodes.max(text_bytes / BYTES_PER_NODE);
        Self {
            limits,
            open: Vec::new(),
            anchors: HashMap::new(),
            document: None,
            nodes: 0,
            alias_weight: 0,
            alias_limit,
        }
    }

    fn finish_document(&mut self) -> Value {
        self.anchors.clear();
        self.open.clear();
        self.document.take().unwrap_or(Value::Null)
    }

    fn take(&mut self, event: Event<'_>, _span: &Span) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref()),
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "seq")?;
                self.start(anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "map")?;
                self.start(anchor, Content::Mapping { members: Map::new(), key: None, merges: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor),
            _ => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(format!("the document holds more than {} values", self.limits.nodes));
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>) -> Result<(), String> {
        self.count()?;
        let plain = style == ScalarStyle::Plain;
        if self.awaits_key() && plain && tag.is_none() && text == "<<" {
            return self.set_key(Key::Merge);
        }
        let value = match tag {
            None if plain => scalar::resolve(text),
            None => Ok(Value::from(text)),
            Some(tag) if is_non_specific(tag) => Ok(Value::from(text)),
            Some(tag) => match tag.core_suffix() {
                Some(core) => scalar::resolve_tagged(core, text),
                None => return Err(unknown_tag(tag)),
            },
        };
        let value = value.map_err(|reason| format!("{text:?} {reason}"))?;
        self.place(anchor, Node { value, weight: 1 + text.len() / BYTES_PER_NODE, height: 0 })
    }

    fn start(&mut self, anchor: usize, content: Content) -> Result<(), String> {
        self.count()?;
        if self.awaits_key() {
            return Err("a key must be text, not a list or mapping".to_owned());
        }
        if self.open.len() >= self.limits.depth {
            return Err(too_deep(self.limits.depth));
        }
        self.open.push(Open { anchor, weight: 1, height: 0, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::Array(items),
            Content::Mapping { mut members, merges, .. } => {
                for source in merges {
                    merge::merge(&mut members, source)?;
                }
                Value::Object(members)
            }
        };
        self.place(open.anchor, Node { value, weight: open.weight, height: open.height + 1 })
    }

    fn alias(&mut self, anchor: usize) -> Result<(), String> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err("an alias stands within the value that it refers to".to_owned());
        };
        self.alias_weight = self.alias_weight.saturating_add(node.weight);
        if self.alias_weight > self.alias_limit {
            return Err("aliases expand to more than the size of the document allows".to_owned());
        }
        if self.open.len() + node.height > self.limits.depth {
            return Err(too_deep(self.limits.depth));
        }
        let node = node.clone();
        self.place(0, node)
    }

    /// Puts a complete value where it belongs.
    fn place(&mut self, anchor: usize, node: Node) -> Result<(), String> {
        if anchor != 0 {
            // The copy is bounded as those of aliases are.
            self.alias_weight = self.alias_weight.saturating_add(node.weight);
            if self.alias_weight > self.alias_limit {
                return Err("anchors cover more than the size of the document allows".to_owned());
            }
            self.anchors.insert(anchor, node.clone());
        }
        if self.awaits_key() {
            let name = key_text(&node.value)?;
            return self.set_key(Key::Name(name));
        }
        let Some(open) = self.open.last_mut() else {
            self.document = Some(node.value);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(node.weight);
        open.height = open.height.max(node.height);
        match &mut open.content {
            Content::List(items) => items.push(node.value),
            Content::Mapping { members, key, merges } => match key.take() {
                Some(Key::Name(name)) => drop(members.insert(name, node.value)),
                Some(Key::Merge) => merges.push(node.value),
                None => {}
            },
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Mapping { key: None, .. }, .. }))
    }

    fn set_key(&mut self, new: Key) -> Result<(), String> {
        if let Some(Open { content: Content::Mapping { members, key, .. }, weight, .. }) = self.open.last_mut() {
            if let Key::Name(name) = &new {
                if members.contains_key(name) {
                    return Err(format!("duplicate key {name:?}"));
                }
                *weight = weight.saturating_add(name.len() / BYTES_PER_NODE);
            }
            *key = Some(new);
        }
        Ok(())
    }
}

fn too_deep(limit: usize) -> String {
    format!("lists and mappings nest deeper than {limit} levels")
}

/// The text of a key. Numbers and bools have one, as in KFP.
fn key_text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(crate::value::to_text(value)),
        Value::Null => Err("a key must be text, not null".to_owned()),
        Value::Array(_) | Value::Object(_) => Err("a key must be text, not a list or mapping".to_owned()),
    }
}

fn is_non_specific(tag: &Tag) -> bool {
    tag.original() == "!"
}

fn check_tag(tag: Option<&Tag>, expected: &str) -> Result<(), String> {
    match tag {
        Some(tag) if !is_non_specific(tag) && tag.core_suffix() != Some(expected) => Err(unknown_tag(tag)),
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag) -> String {
    let name: Cow<'_, str> = tag.original().into();
    format!("unsupported tag {name:?}")
}
