/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNERD_REQUEST_H
#define SIGNERD_REQUEST_H

#include "base/buf.h"
#include "pkcs11/isolated/frame.h"

/* Does what a request asks for. *ret_type and body are the frame that ends the exchange; body is empty
 * before. */
void request_answer(const struct frame *request, enum frame_type *ret_type, struct buf *body);

#endif
