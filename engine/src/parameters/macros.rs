//! Macros in string parameters: `[[RunUUID]]`, `[[CurrentTime]]`, `[[ScheduledTime.<layout>]]`,
//! `{{$.currentTime.strftime('…')}}`. Read once; what is put in is not read again, and what we do not know stays.
//!
//! The current time is the run's creation, so that a run has the same parameters whenever they are asked for.

use penstock_spec::Timestamp;
use penstock_spec::run::RunInfo;

use super::layout;

/// The layout of a time for which none is given.
const DEFAULT_LAYOUT: &str = "20060102150405";
/// The longest macro; bounds the search for its end.
const MAX_LENGTH: usize = 256;

pub(super) fn expand(text: &str, info: &RunInfo) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(['[', '{']) {
        let (before, from) = rest.split_at(open);
        result.push_str(before);
        let found = if from.starts_with("[[") { bracketed(from, info) } else { placeholder(from, info) };
        match found {
            Some((value, length)) => {
                result.push_str(&value);
                rest = from.get(length..).unwrap_or_default();
            }
            None => {
                // Both opening characters are one byte long.
                let (character, after) = from.split_at(1);
                result.push_str(character);
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

/// `[[…]]`: its value and length.
fn bracketed(text: &str, info: &RunInfo) -> Option<(String, usize)> {
    let body = between(text, "[[", "]]")?;
    let value = match body.split_once('.') {
        None if body == "RunUUID" => info.id.to_string(),
        None => layout::format(time(body, info)?, DEFAULT_LAYOUT),
        Some((name, layout)) => layout::format(time(name, info)?, layout),
    };
    Some((value, body.len() + 4))
}

fn time(name: &str, info: &RunInfo) -> Option<Timestamp> {
    match name {
        "CurrentTime" => Some(info.created_at),
        "ScheduledTime" => Some(info.scheduled_at),
        _ => None,
    }
}

/// `{{$.scheduledTime.strftime('…')}}`: its value and length.
fn placeholder(text: &str, info: &RunInfo) -> Option<(String, usize)> {
    let body = between(text, "{{$.", "}}")?;
    let (time, call) = match body.split_once('.')? {
        ("scheduledTime", call) => (info.scheduled_at, call),
        ("currentTime", call) => (info.created_at, call),
        _ => return None,
    };
    let argument = call.strip_prefix("strftime(")?.strip_suffix(')')?.trim();
    let quoted = |quote: char| argument.strip_prefix(quote)?.strip_suffix(quote);
    let format = quoted('\'').or_else(|| quoted('"'))?;
    Some((layout::strftime(time, format)?, body.len() + 6))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let body = text.strip_prefix(open)?;
    let mut window = body.len().min(MAX_LENGTH);
    while !body.is_char_boundary(window) {
        window -= 1;
    }
    let end = body.get(..window)?.find(close)?;
    body.get(..end)
}
