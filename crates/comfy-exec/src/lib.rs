//! Runs prompts: queue, scheduler, caches, events, history and interruption.
