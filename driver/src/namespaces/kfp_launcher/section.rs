//! A mapping of the configuration that is taken apart field by field, so that what is left over can be named.
//!
//! Names of fields are compared without regard to case, as KFP's decoder does: `Overrides` and `overrides` are one.

use penstock_spec::value;
use serde_json::Value;

/// Fields that have not been taken yet.
#[derive(Debug, Default)]
pub(super) struct Section<'v> {
    path: String,
    fields: Vec<(&'v str, &'v Value)>,
}

impl<'v> Section<'v> {
    /// Opens a mapping; none for null.
    pub(super) fn open(path: &str, value: &'v Value) -> Result<Option<Section<'v>>, String> {
        match value {
            Value::Null => Ok(None),
            Value::Object(members) => {
                let fields = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
                Ok(Some(Section { path: path.to_owned(), fields }))
            }
            _ => Err(format!("{path} is not a mapping of fields")),
        }
    }

    /// Where this is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// Takes a field; null counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<&'v Value>, String> {
        let (found, rest): (Vec<_>, Vec<_>) =
            self.fields.drain(..).partition(|(field, _)| field.eq_ignore_ascii_case(name));
        self.fields = rest;
        match found.as_slice() {
            [] => Ok(None),
            [(_, value)] => Ok(Some(*value).filter(|value| !value.is_null())),
            _ => Err(format!("{} is given twice", self.path_of(name))),
        }
    }

    /// A text; empty counts as absent. Numbers and bools have one.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name)? {
            None => Ok(None),
            Some(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => {
                Ok(Some(value::to_text(value)).filter(|text| !text.is_empty()))
            }
            Some(_) => Err(format!("{} is not a text", self.path_of(name))),
        }
    }

    /// A yes or no.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.take(name)? {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(format!("{} is neither true nor false", self.path_of(name))),
        }
    }

    /// A number from 0.
    pub(super) fn count(&mut self, name: &str) -> Result<Option<u32>, String> {
        match self.take(name)? {
            None => Ok(None),
            Some(value) => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
                Some(count) => Ok(Some(count)),
                None => Err(format!("{} is not a number from 0", self.path_of(name))),
            },
        }
    }

    /// A mapping within this one.
    pub(super) fn section(&mut self, name: &str) -> Result<Option<Section<'v>>, String> {
        let path = self.path_of(name);
        self.take(name)?.map_or(Ok(None), |value| Section::open(&path, value))
    }

    /// A list of mappings within this one.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Section<'v>>>, String> {
        let path = self.path_of(name);
        let Some(value) = self.take(name)? else { return Ok(None) };
        let Value::Array(items) = value else { return Err(format!("{path} is not a list")) };
        let open = |(index, item)| {
            let path = format!("{path}[{index}]");
            Section::open(&path, item)?.ok_or_else(|| format!("{path} is empty"))
        };
        items.iter().enumerate().map(open).collect::<Result<_, _>>().map(Some)
    }

    /// What nobody has taken, by path.
    pub(super) fn unknown(self) -> impl Iterator<Item = String> {
        self.fields.into_iter().map(move |(name, _)| format!("{}.{name}", self.path))
    }
}
