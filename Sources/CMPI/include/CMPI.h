#pragma once

#include <stdint.h>

// The part of MPI that the trainer uses, without its headers: handles are macros that Swift does not
// see. Only built with the package trait MPI. All calls come from the thread that initialised.
//
// Functions return MPI_SUCCESS, 0, or an error code for ck_mpi_message.

/// A sum under way: the bits of a handle.
typedef intptr_t ck_mpi_request;

/// Joins the processes that were started together.
int ck_mpi_initialise(int *_Nonnull member, int *_Nonnull count);

/// Writes the name of this machine, at most `capacity` bytes with the final 0.
int ck_mpi_machine(char *_Nonnull name, int capacity);

/// Starts to replace `count` values by their sums over all processes.
int ck_mpi_begin_floats(float *_Nonnull values, int count, ck_mpi_request *_Nonnull request);
int ck_mpi_begin_doubles(double *_Nonnull values, int count, ck_mpi_request *_Nonnull request);

/// Moves all communication on; `is_done` becomes 1 when this sum is there.
int ck_mpi_test(ck_mpi_request *_Nonnull request, int *_Nonnull is_done);

/// Leaves the group, when all members do.
int ck_mpi_finalise(void);

/// Ends every process of the group; does not return.
void ck_mpi_abort(int status);

/// Writes what an error code means.
void ck_mpi_message(int code, char *_Nonnull text, int capacity);
