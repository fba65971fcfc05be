//! Names with `*` for any characters.

/// Whether `name` is `glob`, where each `*` of it stands for any run of characters.
pub(super) fn glob_matches(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|head| name.strip_prefix(head)) else {
        return false;
    };
    let Some(tail) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let pattern = "blocks.10.attn.hook_pattern";
        for glob in [
            "*",
            "**",
            pattern,
            "blocks.*",
            "*.hook_pattern",
            "blocks.*.attn.hook_pattern",
            "blocks.1*0*n",
            "*attn*",
        ] {
            assert!(glob_matches(glob, pattern), "{glob}");
        }
        for glob in [
            "",
            "blocks.1",
            "blocks.1*1*n",
            "*hook",
            "hook_*",
            "*n*n*n*n*",
        ] {
            assert!(!glob_matches(glob, pattern), "{glob}");
        }
    }

    #[test]
    fn head_and_tail_of_a_glob_never_overlap() {
        assert!(!glob_matches("logits*logits", "logits"));
        assert!(glob_matches("log*its", "logits"));
    }
}
