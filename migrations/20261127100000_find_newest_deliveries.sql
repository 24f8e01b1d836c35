-- Each connection's newest delivery is asked for whenever somebody looks whether its webhooks still come; without this that
-- was a walk back through all deliveries until one of the connection turned up, or through all of them where none did.
create index deliveries_by_connection on deliveries (connection, id);
