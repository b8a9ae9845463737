#include "CMPI.h"

#ifdef CKPT_MPI

#include <mpi.h>
#include <string.h>

_Static_assert(sizeof(MPI_Request) <= sizeof(ck_mpi_request), "a handle fits");

static void copy(char *target, const char *text, int capacity) {
  strncpy(target, text, (size_t)capacity - 1);
  target[capacity - 1] = 0;
}

int ck_mpi_initialise(int *member, int *count) {
  int level;
  int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
  if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (code == MPI_SUCCESS) code = MPI_Comm_rank(MPI_COMM_WORLD, member);
  if (code == MPI_SUCCESS) code = MPI_Comm_size(MPI_COMM_WORLD, count);
  return code;
}

int ck_mpi_machine(char *name, int capacity) {
  char text[MPI_MAX_PROCESSOR_NAME];
  int length;
  int code = MPI_Get_processor_name(text, &length);
  copy(name, code == MPI_SUCCESS ? text : "", capacity);
  return code;
}

static int begin(void *values, int count, MPI_Datatype type, ck_mpi_request *request) {
  MPI_Request started = MPI_REQUEST_NULL;
  int code =
    MPI_Iallreduce(MPI_IN_PLACE, values, count, type, MPI_SUM, MPI_COMM_WORLD, &started);
  *request = 0;
  memcpy(request, &started, sizeof started);
  return code;
}

int ck_mpi_begin_floats(float *values, int count, ck_mpi_request *request) {
  return begin(values, count, MPI_FLOAT, request);
}

int ck_mpi_begin_doubles(double *values, int count, ck_mpi_request *request) {
  return begin(values, count, MPI_DOUBLE, request);
}

int ck_mpi_test(ck_mpi_request *request, int *is_done) {
  MPI_Request started;
  memcpy(&started, request, sizeof started);
  int code = MPI_Test(&started, is_done, MPI_STATUS_IGNORE);
  memcpy(request, &started, sizeof started);
  return code;
}

int ck_mpi_finalise(void) { return MPI_Finalize(); }

void ck_mpi_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

void ck_mpi_message(int code, char *text, int capacity) {
  char message[MPI_MAX_ERROR_STRING];
  int length;
  if (MPI_Error_string(code, message, &length) != MPI_SUCCESS) strcpy(message, "unknown error");
  copy(text, message, capacity);
}

#endif
