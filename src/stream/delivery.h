/* Events: from a stream, through its queue, to its callback. */
#ifndef RSQ_STREAM_DELIVERY_H
#define RSQ_STREAM_DELIVERY_H

#include "stream/stream.h"

/* With the registry's mutex held: the end event, exactly once, after the stream left its live query. */
void rsq_stream_post_end_locked(rsq_stream *s);

/* rsq_queue_node.run of a stream, and of a group of them. */
bool rsq_stream_deliver(rsq_queue_node *node, bool deliver);
bool rsq_group_deliver(rsq_queue_node *node, bool deliver);

#endif
