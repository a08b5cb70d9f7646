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
--------
DROP FUNCTION event_extends_head()
--------
DROP FUNCTION event_no_update()
--------
DROP FUNCTION event_no_truncate()
--------
DROP FUNCTION event_no_delete()
--------
DROP FUNCTION lease_closes_once()
--------
DROP FUNCTION lease_no_delete()
--------
DROP FUNCTION lease_no_truncate()
--------
DROP FUNCTION head_only_rises()
--------
DROP FUNCTION head_no_delete()
--------
DROP FUNCTION head_no_truncate()
--------
DROP FUNCTION head_tells()
--------
DROP FUNCTION checkpoint_is_true()
--------
DROP FUNCTION checkpoint_no_update()
--------
DROP FUNCTION checkpoint_no_delete()
--------
DROP FUNCTION checkpoint_no_truncate()
