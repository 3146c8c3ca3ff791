//! What every store must do, told once and run for each of them; then both do the same random work
//! and must agree; then what only a file can do: be reopened, locked, damaged, read-only, full.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commits;
mod compare;
mod epochs;
mod filters;
mod lists;
mod reads;
mod sqlite;
mod support;
mod texts;

/// Runs each case against a new store of each kind.
macro_rules! suite {
    ($($module:ident: $($case:ident),+;)+) => {
        mod in_memory {
            $($(#[test] fn $case() {
                super::$module::$case(&steadfast_store::MemoryStore::new());
            })+)+
        }
        mod in_sqlite {
            $($(#[test] fn $case() {
                let folder = super::support::Folder::new();
                super::$module::$case(&folder.open());
            })+)+
        }
    };
}

suite! {
    commits:
        an_execution_begins_with_record_1_and_a_row,
        records_are_dense_and_never_rewritten,
        a_batch_is_all_or_nothing,
        a_refused_batch_leaves_its_neighbours_alone,
        after_a_conflict_the_run_waits_for_the_next_epoch,
        batches_commit_in_call_order_even_if_nobody_waits,
        a_row_is_replaced_whole,
        only_one_run_of_an_id_is_current,
        ids_of_different_kinds_do_not_collide,
        continue_as_new_is_one_commit,
        a_snapshot_replaces_the_older_one,
        a_deletion_leaves_nothing_behind,
        a_deleted_run_takes_no_more_writes,
        the_counters_count;
    epochs:
        epochs_grow,
        an_older_epoch_is_fenced,
        a_shard_without_an_epoch_is_fenced,
        shards_have_epochs_of_their_own;
    reads:
        nothing_is_found_in_an_empty_store,
        a_run_is_found_only_under_its_own_id,
        loading_gives_the_records_after_the_snapshot,
        records_come_in_pages_either_way,
        wakes_come_by_time_and_slot,
        a_wake_moves_and_goes,
        meta_is_a_small_ordered_map,
        a_closed_store_says_so;
    lists:
        open_runs_come_first_then_the_newest,
        pages_hold_every_row_once,
        pages_stay_in_place_under_writes,
        any_column_orders_and_missing_values_come_last,
        a_foreign_cursor_is_refused,
        counts_go_by_group,
        what_cannot_be_sorted_or_grouped_is_refused,
        divisions_are_hidden_unless_named,
        a_search_attribute_is_gone_with_the_next_row;
    texts:
        text_matches_by_words,
        keyword_lists_match_by_member,
        prefixes_are_taken_literally,
        run_ids_compare_as_ids_and_as_text;
    filters:
        every_built_in_column_filters,
        an_open_run_without_a_parent_lacks_some_columns,
        every_attribute_type_filters,
        a_missing_value_matches_neither_way,
        logic_has_three_values,
        nonsense_is_refused,
        a_filter_may_be_large,
        a_rare_value_is_found_among_many;
}
