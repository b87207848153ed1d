//! How proto-JSON writes fields: null for an unset one, numbers as numbers or text, enums as names or numbers,
//! durations as seconds with an `s`.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{ParameterType, PrimitiveType, ProtoDuration, TaskConfigField, TriggerStrategy};
use crate::value::canonicalize;

/// A field that is unset when it is null.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A `google.protobuf.Value` for which null is a value.
pub(crate) fn present_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    canonicalize(&mut value);
    Ok(Some(value))
}

/// A list of `google.protobuf.Value`.
pub(crate) fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    let mut values: Vec<Value> = nullable(deserializer)?;
    values.iter_mut().for_each(canonicalize);
    Ok(values)
}

/// A `google.protobuf.Struct`.
pub(crate) fn structure<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let mut members: Map<String, Value> = nullable(deserializer)?;
    members.values_mut().for_each(canonicalize);
    Ok(members)
}

/// A number that may be written as text and, when integral, with a fraction or exponent.
struct Numeric(f64, Option<i64>);

impl<'de> Deserialize<'de> for Numeric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumericVisitor;
        impl Visitor<'_> for NumericVisitor {
            type Value = Numeric;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Numeric, E> {
                Ok(Numeric(number as f64, Some(number)))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Numeric, E> {
                Ok(Numeric(number as f64, i64::try_from(number).ok()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Numeric, E> {
                // Doubles beyond 2^53 are no exact integers.
                let integral = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
                Ok(Numeric(number, integral.then_some(number as i64)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Numeric, E> {
                if let Ok(number) = text.parse::<i64>() {
                    return self.visit_i64(number);
                }
                match text.parse::<f64>() {
                    Ok(number) if number.is_finite() => self.visit_f64(number),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(NumericVisitor)
    }
}

/// An integer field of some width.
pub(crate) fn integer<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64> + Default,
{
    optional_integer(deserializer).map(Option::unwrap_or_default)
}

/// An integer field of some width that knows "unset".
pub(crate) fn optional_integer<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let Some(Numeric(double, integer)) = Option::deserialize(deserializer)? else { return Ok(None) };
    match integer.and_then(|integer| T::try_from(integer).ok()) {
        Some(integer) => Ok(Some(integer)),
        None => Err(D::Error::custom(format!("{double} is not a whole number in the range of the field"))),
    }
}

/// A double field.
pub(crate) fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    optional_double(deserializer).map(Option::unwrap_or_default)
}

/// A double field that knows "unset".
pub(crate) fn optional_double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::<Numeric>::deserialize(deserializer)?.map(|Numeric(double, _)| double))
}

/// The name or the number of an enum's value.
enum EnumValue {
    Name(String),
    Number(i64),
}

impl<'de> Deserialize<'de> for EnumValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnumVisitor;
        impl Visitor<'_> for EnumVisitor {
            type Value = EnumValue;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name or number of an enum value")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<EnumValue, E> {
                Ok(EnumValue::Number(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<EnumValue, E> {
                i64::try_from(number)
                    .map(EnumValue::Number)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<EnumValue, E> {
                if number.fract() == 0.0 && number.abs() < 1e9 {
                    return Ok(EnumValue::Number(number as i64));
                }
                Err(E::invalid_value(Unexpected::Float(number), &self))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<EnumValue, E> {
                Ok(EnumValue::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(EnumVisitor)
    }
}

/// Reads an enum from its table of names and numbers. A value may have several names.
fn read_enum<'de, D: Deserializer<'de>, T: Copy>(deserializer: D, table: &[(&str, i64, T)]) -> Result<T, D::Error> {
    let value = EnumValue::deserialize(deserializer)?;
    let found = table.iter().find(|(name, number, _)| match &value {
        EnumValue::Name(wanted) => name == wanted,
        EnumValue::Number(wanted) => number == wanted,
    });
    found.map(|(_, _, found)| *found).ok_or_else(|| {
        let names: Vec<&str> = table.iter().map(|(name, ..)| *name).collect();
        let wanted = match value {
            EnumValue::Name(name) => format!("{name:?}"),
            EnumValue::Number(number) => number.to_string(),
        };
        D::Error::custom(format!("unknown value {wanted}, expected one of {}", names.join(", ")))
    })
}

impl<'de> Deserialize<'de> for ParameterType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const TABLE: [(&str, i64, ParameterType); 9] = [
            ("PARAMETER_TYPE_ENUM_UNSPECIFIED", 0, ParameterType::Unspecified),
            ("NUMBER_DOUBLE", 1, ParameterType::NumberDouble),
            ("NUMBER_INTEGER", 2, ParameterType::NumberInteger),
            ("STRING", 3, ParameterType::String),
            ("BOOLEAN", 4, ParameterType::Boolean),
            ("LIST", 5, ParameterType::List),
            ("STRUCT", 6, ParameterType::Struct),
            ("TASK_FINAL_STATUS", 7, ParameterType::TaskFinalStatus),
            ("TASK_CONFIG", 8, ParameterType::TaskConfig),
        ];
        read_enum(deserializer, &TABLE)
    }
}

impl<'de> Deserialize<'de> for PrimitiveType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const TABLE: [(&str, i64, ParameterType); 4] = [
            ("PRIMITIVE_TYPE_UNSPECIFIED", 0, ParameterType::Unspecified),
            ("INT", 1, ParameterType::NumberInteger),
            ("DOUBLE", 2, ParameterType::NumberDouble),
            ("STRING", 3, ParameterType::String),
        ];
        read_enum(deserializer, &TABLE).map(Self)
    }
}

impl<'de> Deserialize<'de> for TriggerStrategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const TABLE: [(&str, i64, TriggerStrategy); 3] = [
            ("TRIGGER_STRATEGY_UNSPECIFIED", 0, TriggerStrategy::AllSucceeded),
            ("ALL_UPSTREAM_TASKS_SUCCEEDED", 1, TriggerStrategy::AllSucceeded),
            ("ALL_UPSTREAM_TASKS_COMPLETED", 2, TriggerStrategy::AllCompleted),
        ];
        read_enum(deserializer, &TABLE)
    }
}

impl<'de> Deserialize<'de> for TaskConfigField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const TABLE: [(&str, i64, TaskConfigField); 7] = [
            ("NONE", 0, TaskConfigField::None),
            ("RESOURCES", 1, TaskConfigField::Resources),
            ("ENV", 2, TaskConfigField::Env),
            ("KUBERNETES_AFFINITY", 3, TaskConfigField::KubernetesAffinity),
            ("KUBERNETES_TOLERATIONS", 4, TaskConfigField::KubernetesTolerations),
            ("KUBERNETES_NODE_SELECTOR", 5, TaskConfigField::KubernetesNodeSelector),
            ("KUBERNETES_VOLUMES", 6, TaskConfigField::KubernetesVolumes),
        ];
        read_enum(deserializer, &TABLE)
    }
}

/// Greatest number of seconds of a `google.protobuf.Duration`: about 10,000 years.
const MAX_SECONDS: u64 = 315_576_000_000;

impl<'de> Deserialize<'de> for ProtoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is not a duration: expected seconds with an s, such as \"3600s\" or \"0.5s\""
            ))
        })
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds = whole.parse().ok().filter(|seconds| *seconds <= MAX_SECONDS)?;
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

impl Serialize for ProtoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fraction = format!("{:09}", self.0.subsec_nanos());
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        serializer.serialize_str(&format!("{}{point}{fraction}s", self.0.as_secs()))
    }
}
