// Calls send() for many sockets with one call from JavaScript. See socket-fan-out.ts.
#include <errno.h>
#include <node_api.h>
#include <sys/socket.h>

// macOS does not have this flag, and does not need it: Node.js ignores SIGPIPE, and libuv sets SO_NOSIGPIPE on macOS.
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static napi_value fail(napi_env env) {
  napi_throw_type_error(env, NULL, "expected (descriptors: Int32Array, count: number, chunk: Uint8Array)");
  return NULL;
}

// Sends `chunk` to the first `count` descriptors, and replaces each descriptor by the number of bytes that were sent. After
// any error, the number is 0: the caller then writes in the ordinary way, which reports the error.
static napi_value send_to_all(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t argc = 3;
  if (napi_get_cb_info(env, info, &argc, args, NULL, NULL) != napi_ok || argc < 3) return fail(env);

  napi_typedarray_type type;
  size_t capacity, length;
  void *descriptors, *chunk;
  bool is_typed_array;
  if (napi_is_typedarray(env, args[0], &is_typed_array) != napi_ok || !is_typed_array) return fail(env);
  if (napi_get_typedarray_info(env, args[0], &type, &capacity, &descriptors, NULL, NULL) != napi_ok) return fail(env);
  if (type != napi_int32_array) return fail(env);
  if (napi_is_typedarray(env, args[2], &is_typed_array) != napi_ok || !is_typed_array) return fail(env);
  if (napi_get_typedarray_info(env, args[2], &type, &length, &chunk, NULL, NULL) != napi_ok) return fail(env);
  if (type != napi_uint8_array) return fail(env);
  uint32_t count;
  if (napi_get_value_uint32(env, args[1], &count) != napi_ok || count > capacity) return fail(env);

  int32_t *values = descriptors;
  for (uint32_t i = 0; i < count; i++) {
    ssize_t sent;
    do {
      sent = send(values[i], chunk, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    values[i] = sent < 0 ? 0 : (int32_t)sent;
  }
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "send", NAPI_AUTO_LENGTH, send_to_all, NULL, &function) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "send", function) != napi_ok) return NULL;
  return exports;
}
