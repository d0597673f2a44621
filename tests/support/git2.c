/* git2.c - what Criterion calls of libgit2, to be loaded in its place. Criterion needs it for the differences of
 * cr_assert(eq(...)), for which no test here asks, and makes it ready in each process it starts, one a test: with it 20
 * more libraries are loaded, and all certificates read that the machine trusts, which is more work than all else it does. */
int git_libgit2_init(void);
int git_libgit2_shutdown(void);
int git_diff_buffers(void);

int git_libgit2_init(void)
{
    return 1;
}

int git_libgit2_shutdown(void)
{
    return 0;
}

int git_diff_buffers(void)
{
    return -1;
}
