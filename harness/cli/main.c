/* main.c - the program smtp-harness: finds the verb and hands over to it. */
int main(void)
{
    return 2;
}
