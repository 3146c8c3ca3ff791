//! Paths of field masks: clients write them as the API's definitions do, or as JSON does.

/// A path with its names as in the API's definitions: `taskQueue.name` is `task_queue.name`.
pub fn snake(path: &str) -> String {
    let mut snake = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake;

    #[test]
    fn both_spellings_mean_the_same() {
        for path in ["task_queue.name", "taskQueue.name"] {
            assert_eq!(snake(path), "task_queue.name");
        }
        assert_eq!(snake("priority"), "priority");
    }
}
