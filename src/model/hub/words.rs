//! The parts of messages that depend on what is the case.

use std::io;

use crate::model::memory::in_words;

pub(super) fn hint(has_token: bool) -> &'static str {
    if has_token {
        ", and whether the token's account may read it"
    } else {
        " (for a private one, give a token that may read it in HF_TOKEN)"
    }
}

pub(super) fn consent(has_token: bool) -> &'static str {
    if has_token {
        "with the account of the token in use, and wait until access is granted"
    } else {
        "and give a token of that account in HF_TOKEN"
    }
}

pub(super) fn when(retry_after: Option<&str>, has_token: bool) -> String {
    let when = match retry_after {
        Some(secs) if secs.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("try again in {secs} s")
        }
        Some(date) => format!("try again after {date}"),
        None => "try again in a few minutes".to_owned(),
    };
    if has_token {
        when
    } else {
        format!("{when} (with a token in HF_TOKEN more is allowed)")
    }
}

pub(super) fn kept(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!(", the {} that have come are kept", in_words(bytes)),
    }
}

pub(super) fn room(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: make room, or set HF_HUB_CACHE to a folder on another disk \
             (what has come is kept)"
        }
        io::ErrorKind::FileTooLarge => {
            "files may not become so large here: set HF_HUB_CACHE to a folder on another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "set HF_HUB_CACHE to a folder that may be written"
        }
        _ => "check the folder, or set HF_HUB_CACHE to another",
    }
}

/// How many names a message has room for.
const MAX_NAMES: usize = 12;

pub(super) fn list(names: &[String]) -> String {
    let shown = names[..names.len().min(MAX_NAMES)].join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        others => format!("{shown} and {others} others"),
    }
}

pub(super) fn full_names(repo: &str, files: &[String]) -> Vec<String> {
    files.iter().map(|file| format!("{repo}/{file}")).collect()
}

pub(super) fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", list(names))
}

pub(super) fn files_there(names: &[String]) -> String {
    if names.is_empty() {
        "it has no files".to_owned()
    } else {
        format!("it has {}", list(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_file_from_being_written_has_advice_of_its_own() {
        for (kind, advice) in [
            (io::ErrorKind::StorageFull, "the disk is full"),
            (io::ErrorKind::QuotaExceeded, "the disk is full"),
            (io::ErrorKind::FileTooLarge, "may not become so large"),
            (io::ErrorKind::ReadOnlyFilesystem, "may be written"),
            (io::ErrorKind::PermissionDenied, "may be written"),
            (io::ErrorKind::NotFound, "check the folder"),
        ] {
            let room = room(&kind.into());
            assert!(room.contains(advice), "{kind}: {room}");
            assert!(room.contains("HF_HUB_CACHE"), "{kind}: {room}");
        }
    }
}
