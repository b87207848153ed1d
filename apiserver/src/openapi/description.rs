//! What is said of a route: its name, its query, its body and its reply.

use super::schema::{EMPTY, Kind, Message, UPLOAD_REFUSAL};

/// A description of a route. Its path and what varies in it are said by the route itself.
#[derive(Debug, Clone)]
pub struct Description {
    /// Name of the operation: words with underscores. Metrics know the route by it.
    pub(crate) name: &'static str,
    /// One line.
    pub(crate) summary: &'static str,
    pub(crate) query: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) reply: Reply,
    /// How it says no, if it has a way of its own.
    pub(crate) own_refusal: Option<&'static Message>,
}

/// A parameter of the query.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
    pub(crate) required: bool,
}

/// What a request holds.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// A message.
    Json(&'static Message),
    /// A form with a file.
    Form(&'static Message),
}

/// What a reply holds.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A message.
    Json(&'static Message),
    /// An object that cannot be described any further.
    AnyJson,
    /// Text of some type.
    Text(&'static str),
    /// Bytes of any type, whole or in part.
    Bytes,
    /// A file of any type, unless the client has it already.
    File,
    /// Events as they happen; none (204) behind the last of all.
    Events,
}

/// A parameter that may be left out.
pub(crate) const fn parameter(name: &'static str, kind: Kind, about: &'static str) -> Parameter {
    Parameter { name, kind, about, required: false }
}

impl Description {
    /// Of an operation that is answered with `{}`.
    pub(crate) fn new(name: &'static str, summary: &'static str) -> Self {
        let (query, body, reply) = (Vec::new(), None, Reply::Json(&EMPTY));
        Self { name, summary, query, body, reply, own_refusal: None }
    }

    /// With a parameter that may be left out.
    pub(crate) fn query(mut self, name: &'static str, kind: Kind, about: &'static str) -> Self {
        self.query.push(parameter(name, kind, about));
        self
    }

    /// With a parameter that must be there.
    pub(crate) fn required(mut self, name: &'static str, kind: Kind, about: &'static str) -> Self {
        self.query.push(Parameter { required: true, ..parameter(name, kind, about) });
        self
    }

    /// With the parameters of lists.
    pub(crate) fn paged(self) -> Self {
        self.query("page_size", Kind::Int32, "Items of a page: 20 unless it is said, at most 200.")
            .query("page_token", Kind::Text, "next_page_token of the page before.")
            .query("sort_by", Kind::Text, "A field, a field and asc, or a field and desc.")
            .query("filter", Kind::Text, "A Filter as JSON: {\"predicates\": [{\"operation\": \"EQUALS\", ...}]}.")
    }

    /// With a message in the request.
    pub(crate) fn body(mut self, message: &'static Message) -> Self {
        self.body = Some(Body::Json(message));
        self
    }

    /// With a form in the request; such requests are refused in a shape of their own.
    pub(crate) fn form(mut self, message: &'static Message) -> Self {
        self.body = Some(Body::Form(message));
        self.refused_like_uploads()
    }

    /// Whether a request holds a form.
    pub(crate) fn takes_form(&self) -> bool {
        matches!(self.body, Some(Body::Form(_)))
    }

    /// Refused in the shape of uploads.
    pub(crate) fn refused_like_uploads(mut self) -> Self {
        self.own_refusal = Some(&UPLOAD_REFUSAL);
        self
    }

    /// Answered with a message.
    pub(crate) fn reply(self, message: &'static Message) -> Self {
        self.replies(Reply::Json(message))
    }

    /// Answered with something else.
    pub(crate) fn replies(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }
}
