//! A number of bytes on the command line: `500MB`, `2GB`, `1.5GiB`.

use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// Units, the longer ones first, so that `GiB` is not taken for `B`.
const UNITS: [(&str, f64); 10] = [
    ("kib", 1024.0),
    ("mib", 1048576.0),
    ("gib", 1073741824.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("k", 1e3),
    ("m", 1e6),
    ("g", 1e9),
    ("b", 1.0),
];

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no number of bytes; write 500MB or 2GB");
        let small = text.trim().to_lowercase();
        let unit = UNITS.iter().find(|(unit, _)| small.ends_with(unit));
        let (number, factor) = match unit {
            Some((unit, factor)) => (small.trim_end_matches(unit), *factor),
            None => (small.as_str(), 1.0),
        };
        let number: f64 = number.trim().parse().ok().ok_or_else(wrong)?;
        let bytes = number * factor;
        if !(0.0..1e18).contains(&bytes) {
            return Err(wrong());
        }
        Ok(Self(bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let bytes = |text: &str| text.parse::<ByteSize>().map(|size| size.0);

        assert_eq!(bytes("500MB"), Ok(500_000_000));
        assert_eq!(bytes("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(bytes("2g"), Ok(2_000_000_000));
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("0"), Ok(0));
        for wrong in ["", "GB", "-1GB", "many", "1e30", "nan", "2 TBs"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
