//! The shapes of messages: declared once, beside what reads and writes them, and checked by every reply of the tests.
//!
//! A message is declared as clients write it canonically. What is taken besides (camel case, null, enums by number, 64-bit
//! integers as numbers) is said once, in the description of the document.

use serde_json::{Map, Value, json};

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its name in the document.
    pub(crate) name: &'static str,
    /// Its fields, in the order of replies.
    pub(crate) fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    kind: Kind,
    presence: Presence,
}

/// Where a field is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// In every reply; ignored in requests.
    Always,
    /// In replies, unless it has its default; ignored in requests.
    Shown,
    /// In requests and replies, unless it has its default.
    Both,
    /// In requests alone.
    Given,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// A UUID.
    Id,
    /// RFC 3339, in whole seconds.
    Time,
    /// A boolean.
    Boolean,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits, as text.
    Int64,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Another message.
    Message(&'static Message),
    /// A list.
    List(&'static Kind),
    /// A list of resources: one that cannot be read has its id and `error`.
    Resources(&'static Message),
    /// Strings by name.
    Texts,
    /// Lists of messages by name.
    Lists(&'static Message),
    /// Any object.
    Struct,
    /// Any value.
    Any,
    /// Bytes of a form.
    File,
}

/// In every reply; ignored in requests.
pub(crate) const fn always(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Always }
}

/// In replies, unless it has its default; ignored in requests.
pub(crate) const fn shown(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Shown }
}

/// In requests and replies.
pub(crate) const fn both(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Both }
}

/// In requests alone.
pub(crate) const fn given(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Given }
}

/// Why something failed, as gRPC says it.
pub(crate) const STATUS: Message = Message {
    name: "Status",
    fields: &[shown("code", Kind::Int32), shown("message", Kind::Text), shown("details", Kind::List(&Kind::Struct))],
};

/// A refusal.
pub(crate) const REFUSAL: Message = Message {
    name: "Refusal",
    fields: &[always("code", Kind::Int32), always("message", Kind::Text), shown("details", Kind::List(&DETAIL))],
};

const DETAIL: Kind = Kind::Message(&Message {
    name: "RefusalDetail",
    fields: &[always("@type", Kind::Text), always("code", Kind::Int32), always("message", Kind::Text)],
});

/// A refused upload.
pub(crate) const UPLOAD_REFUSAL: Message = Message {
    name: "UploadRefusal",
    fields: &[always("error_message", Kind::Text), always("error_details", Kind::Text)],
};

/// A reply that says nothing but that it was done.
pub(crate) const EMPTY: Message = Message { name: "Empty", fields: &[] };

/// Messages by name, with all that they refer to.
#[derive(Debug, Default)]
pub(super) struct Schemas(Map<String, Value>);

impl Schemas {
    /// Refers to a message, and declares it.
    pub(super) fn refer(&mut self, message: &'static Message) -> Value {
        if !self.0.contains_key(message.name) {
            // It is there while its fields are looked at: messages may hold one another.
            self.0.insert(message.name.to_owned(), Value::Null);
            let schema = self.object(message.fields);
            self.0.insert(message.name.to_owned(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{}", message.name)})
    }

    /// The schema of a value.
    pub(super) fn of(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Id => json!({"type": "string", "format": "uuid"}),
            Kind::Time => json!({"type": "string", "format": "date-time"}),
            Kind::Boolean => json!({"type": "boolean"}),
            Kind::Int32 => json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX}),
            Kind::Int64 => json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"}),
            Kind::Any => json!({}),
            Kind::Words(words) => json!({"type": "string", "enum": words}),
            Kind::Message(message) => self.refer(message),
            Kind::List(item) => json!({"type": "array", "items": self.of(item)}),
            Kind::Resources(message) => {
                let unreadable = json!({"type": "object", "required": ["error"], "maxProperties": 2});
                json!({"type": "array", "items": {"anyOf": [self.refer(message), unreadable]}})
            }
            Kind::Texts => json!({"type": "object", "additionalProperties": {"type": "string"}}),
            Kind::Lists(message) => {
                json!({"type": "object", "additionalProperties": {"type": "array", "items": self.refer(message)}})
            }
            Kind::Struct => json!({"type": "object"}),
            Kind::File => json!({"type": "string", "format": "binary"}),
        }
    }

    fn object(&mut self, fields: &[Field]) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields {
            let mut schema = self.of(&field.kind);
            match field.presence {
                Presence::Both => {}
                Presence::Given => schema["writeOnly"] = Value::Bool(true),
                Presence::Shown | Presence::Always => schema["readOnly"] = Value::Bool(true),
            }
            if field.presence == Presence::Always {
                required.push(field.name);
            }
            properties.insert(field.name.to_owned(), schema);
        }
        let mut object = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            object["required"] = json!(required);
        }
        object
    }

    /// All that were referred to.
    pub(super) fn into_inner(self) -> Map<String, Value> {
        self.0
    }
}
