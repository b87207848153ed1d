//! Quantities as Kubernetes writes them.

/// A quantity as Kubernetes takes it: KFP's capital `K` becomes `k`. Nothing if the text is no quantity, or a negative
/// one.
pub fn normalize(text: &str) -> Option<String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(digits)?;
    let is_number = number.chars().any(|c| c.is_ascii_digit()) && number.matches('.').count() <= 1;
    if !is_number {
        return None;
    }
    match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" => Some(text.to_owned()),
        "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" => Some(text.to_owned()),
        "K" => Some(format!("{number}k")),
        exponent => {
            let power = exponent.strip_prefix(['e', 'E'])?;
            let power = power.strip_prefix(['+', '-']).unwrap_or(power);
            let is_power = !power.is_empty() && power.len() <= 3 && power.bytes().all(|byte| byte.is_ascii_digit());
            is_power.then(|| text.to_owned())
        }
    }
}

/// How much a quantity is, to be compared with others. Nothing if the text is no quantity.
pub fn amount(text: &str) -> Option<f64> {
    let text = normalize(text)?;
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(digits)?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        exponent => 10_f64.powi(exponent.get(1..)?.parse().ok()?),
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_taken_as_kubernetes_takes_them() {
        for good in ["1", "0.5", ".5", "1.", "500m", "64Mi", "1G", "2e3", "1E-3", "1E", "100n", "7Ei"] {
            assert_eq!(normalize(good).as_deref(), Some(good));
        }
        assert_eq!(normalize("512K").as_deref(), Some("512k"));
        for bad in ["", "m", "-1", "1 Gi", "1GB", "1.2.3", "1e", "1e+", "1e9999", "Gi", "{{$}}", "1Kii", "١"] {
            assert_eq!(normalize(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn amounts_can_be_compared() {
        for (text, expected) in [
            ("1", 1.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("250m", 0.25),
            ("2k", 2e3),
            ("2K", 2e3),
            ("1E", 1e18),
            ("64Mi", 67_108_864.0),
            ("1e3", 1e3),
            ("2E+2", 200.0),
            ("5e-1", 0.5),
        ] {
            let amount = amount(text).expect("a quantity");
            assert!((amount - expected).abs() <= expected * 1e-9, "{text}: {amount}");
        }
        assert_eq!(amount("64MB"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            if let Some(quantity) = normalize(&text) {
                proptest::prop_assert!(amount(&quantity).is_some());
                proptest::prop_assert_eq!(normalize(&quantity), Some(quantity));
            }
        }
    }
}
