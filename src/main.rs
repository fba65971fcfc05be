//! The `llmscope` program.
fn main() {}
