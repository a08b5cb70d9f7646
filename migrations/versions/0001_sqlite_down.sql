DROP VIEW announcement_current
--------
DROP VIEW event_readable
--------
DROP VIEW pool_usage
--------
DROP VIEW address_state
--------
DROP VIEW pool_current
--------
DROP VIEW lease_history
--------
DROP VIEW lease_current
--------
DROP TRIGGER event_extends_head
--------
DROP TRIGGER event_moves_head
--------
DROP TRIGGER event_no_update
--------
DROP TRIGGER event_no_delete
--------
DROP TRIGGER lease_exclusive
--------
DROP TRIGGER lease_no_replace
--------
DROP TRIGGER lease_closes_once
--------
DROP TRIGGER lease_no_delete
--------
DROP TRIGGER head_only_rises
--------
DROP TRIGGER head_no_insert
--------
DROP TRIGGER head_no_delete
--------
DROP TRIGGER checkpoint_is_true
--------
DROP TRIGGER checkpoint_no_update
--------
DROP TRIGGER checkpoint_no_delete
--------
DROP TABLE pool_range
--------
DROP TABLE lease_port
--------
DROP TABLE static_record
--------
DROP TABLE service
--------
DROP TABLE reservation
--------
DROP TABLE refusal
--------
DROP TABLE pool
--------
DROP TABLE node
--------
DROP TABLE namespace
--------
DROP TABLE meta
--------
DROP TABLE lease
--------
DROP TABLE leadership
--------
DROP TABLE head
--------
DROP TABLE feed
--------
DROP TABLE event
--------
DROP TABLE endpoints
--------
DROP TABLE drained_pool
--------
DROP TABLE configuration
--------
DROP TABLE checkpoint
--------
DROP TABLE announcement
