//! Quantities as Kubernetes writes them.

/// A quantity as Kubernetes takes it: KFP's capital `K` becomes `k`. Nothing if the text is no quantity, or a negative
/// one.
pub(crate) fn normalize(text: &str) -> Option<String> {
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

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            if let Some(quantity) = normalize(&text) {
                proptest::prop_assert_eq!(normalize(&quantity), Some(quantity));
            }
        }
    }
}
