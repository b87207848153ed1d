//! What a YAML scalar means. The rules are those of the parser that KFP's backend uses (`gopkg.in/yaml.v3`, then
//! proto-JSON), because a pipeline must not mean something else here:
//!
//! - Only `true` and `false` (in three capitalisations) are bools; `yes`, `no`, `on`, `off`, `y` and `NO` are text.
//! - Integers may be written in base 10, 16 (`0x1f`), 8 (`0o17`, and `017` of YAML 1.1) and 2 (`0b1`), with `_` between
//!   digits; beyond 64 bits a decimal one is a double.
//! - A number that no double can hold, such as `1e400`, is text.
//! - `.nan` and `.inf` are numbers that JSON does not have: an error.
//! - A date such as `2024-01-31` becomes the text of its time, `2024-01-31T00:00:00Z`.
//! - `-0` is 0. What lies beyond 2^53 is rounded to a double where the document is read as values.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use serde_json::{Number, Value};

/// Meaning of a plain scalar without a tag.
pub(super) fn resolve(text: &str) -> Result<Value, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err("is a number that JSON does not have; write it as text in quotes"),
        _ => {}
    }
    let number = match text.bytes().next() {
        Some(b'.') => double(text),
        Some(b'0'..=b'9' | b'+' | b'-') => match timestamp(text) {
            Some(time) => return Ok(Value::String(time)),
            None => number(&text.replace('_', "")),
        },
        _ => None,
    };
    Ok(number.unwrap_or_else(|| Value::from(text)))
}

/// Meaning of a scalar with one of the tags of YAML's core schema.
pub(super) fn resolve_tagged(tag: &str, text: &str) -> Result<Value, &'static str> {
    if tag == "str" {
        return Ok(Value::from(text));
    }
    let value = resolve(text)?;
    match (tag, &value) {
        ("null", Value::Null) | ("bool", Value::Bool(_)) | ("float", Value::Number(_)) => Ok(value),
        ("int", Value::Number(number)) if number.as_f64().is_some_and(|double| double.fract() == 0.0) => Ok(value),
        _ => Err("does not fit its tag"),
    }
}

fn number(text: &str) -> Option<Value> {
    integer(text).map(Value::Number).or_else(|| double(text))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Number::from);
    }
    Some(Number::from(magnitude))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, and finite.
fn double(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, Some(unsigned.get(at + 1..)?)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let good_exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !has_digits || !digits(whole) || !digits(fraction) || !good_exponent {
        return None;
    }
    Number::from_f64(text.parse().ok()?).map(Value::Number)
}

/// The text that a timestamp of YAML becomes; `None` for what is not one.
fn timestamp(text: &str) -> Option<String> {
    let year = text.get(..4)?;
    if !year.bytes().all(|byte| byte.is_ascii_digit()) || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, Some((text.as_bytes().get(at)?, text.get(at + 1..)?))),
        None => (text, None),
    };
    let date = read_date(date)?;
    let Some((separator, time)) = time else {
        return Some(format!("{date}T00:00:00Z"));
    };
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => (time.get(..at)?, Some(time.get(at..)?)),
        None => (time, None),
    };
    // With `T` a zone is required, with a space it is not allowed.
    let zone = match (separator, zone) {
        (b'T' | b't', Some(zone)) => zone,
        (b' ', None) => "Z",
        _ => return None,
    };
    let time = read_time(time)?;
    let offset = read_offset(zone)?;
    let moment = DateTime::from_parts(date, time);
    TimeZone::fixed(offset).to_timestamp(moment).ok()?;
    let zone = if offset == Offset::UTC { "Z" } else { zone };
    Some(format!("{date}T{time}{zone}"))
}

fn read_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || month.len() > 2 || day.len() > 2 || [month, day].iter().any(|part| !is_digits(part)) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

fn read_time(text: &str) -> Option<Time> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let bad = |part: &&str| part.len() > 2 || !is_digits(part);
    if parts.next().is_some() || [hour, minute, second].iter().any(bad) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanosecond = format!("{fraction:0<9}").parse().ok()?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?, nanosecond).ok()
}

fn read_offset(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 || !is_digits(hours) || !is_digits(minutes) {
        return None;
    }
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    Offset::from_seconds(if text.starts_with('-') { -seconds } else { seconds }).ok()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
